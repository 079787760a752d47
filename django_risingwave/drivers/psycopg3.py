"""Floats and intervals of RisingWave, for psycopg 3. Import it only if psycopg 3 is the driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.backends.postgresql.psycopg_any import TextLoader
from django.utils.dateparse import parse_duration
from psycopg.types.numeric import (  # type: ignore[import-not-found]  # mypy runs with psycopg2
    FloatDumper as PsycopgFloatDumper,
)

from django_risingwave.drivers.literals import float_literal

if TYPE_CHECKING:
    from datetime import timedelta


class IntervalLoader(TextLoader):  # type: ignore[misc]  # Any, in the stubs
    """Reads intervals in PostgreSQL's default style, which is RisingWave's only one."""

    def load(self, data: Any) -> timedelta:
        text: str = super().load(data)
        duration = parse_duration(text)
        if duration is None:
            raise ValueError(
                f"An interval with months or years can't be a timedelta: {text!r}. Cast it to text."
            )
        return duration


class FloatDumper(PsycopgFloatDumper):  # type: ignore[misc]  # Any, without psycopg
    """Writes floats that RisingWave reads as exactly the same value."""

    def quote(self, obj: float) -> Any:
        literal = float_literal(obj)
        return super().quote(obj) if literal is None else literal.encode()


def register_adapters(connection: Any) -> None:
    """Register the dumper of floats and, on RisingWave, the loader of intervals.

    psycopg's own loader refuses intervals unless the server reports its IntervalStyle. RisingWave doesn't
    report it (src/utils/pgwire/src/pg_protocol.rs at v3.0.3), and writes intervals in PostgreSQL's default
    style (src/common/src/types/interval.rs).
    """
    connection.adapters.register_dumper(float, FloatDumper)
    if not connection.info.parameter_status("IntervalStyle"):
        connection.adapters.register_loader("interval", IntervalLoader)

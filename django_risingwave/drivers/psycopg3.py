"""What psycopg 3 needs to be told of RisingWave. Imported only where psycopg 3 is the driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.backends.postgresql.psycopg_any import TextLoader
from django.utils.dateparse import parse_duration
from psycopg.types.numeric import (  # type: ignore[import-not-found]  # the other driver is linted
    FloatDumper as PsycopgFloatDumper,
)

from django_risingwave.drivers.literals import float_literal

if TYPE_CHECKING:
    from datetime import timedelta


class IntervalLoader(TextLoader):  # type: ignore[misc]  # Any, in the stubs
    """Reads an interval as PostgreSQL writes it by default, and RisingWave always."""

    def load(self, data: Any) -> timedelta:
        text: str = super().load(data)
        duration = parse_duration(text)
        if duration is None:
            raise ValueError(f"An interval of months or years is no timedelta: {text!r}.")
        return duration


class FloatDumper(PsycopgFloatDumper):  # type: ignore[misc]  # Any, without psycopg
    """Writes a float that RisingWave reads as the same."""

    def quote(self, obj: float) -> Any:
        literal = float_literal(obj)
        return super().quote(obj) if literal is None else literal.encode()


def adapt(connection: Any) -> None:
    """Let floats be written as they are, and intervals be read.

    psycopg's own loader reads no interval unless the server reports its IntervalStyle.

    RisingWave doesn't report it (src/utils/pgwire/src/pg_protocol.rs at v3.0.3), and writes in PostgreSQL's
    default one (src/common/src/types/interval.rs).
    """
    connection.adapters.register_dumper(float, FloatDumper)
    if not connection.info.parameter_status("IntervalStyle"):
        connection.adapters.register_loader("interval", IntervalLoader)

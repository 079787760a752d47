"""OPTIONS of an alias that are this backend's own. All others are libpq's and the driver's."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django_risingwave.version import ServerVersion

_MILLISECONDS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
# PostgreSQL's limit, 24 days; RisingWave's is higher.
# https://www.postgresql.org/docs/18/runtime-config-client.html#GUC-STATEMENT-TIMEOUT
_MOST_MILLISECONDS = 2**31 - 1
# Until then a number without a unit, which were seconds; since then a unit must be there:
# https://github.com/risingwavelabs/risingwave/pull/24633
_TIMEOUT_WITH_UNIT = (2, 8)


@dataclass(frozen=True)
class ConnectionOptions:
    """The options, read and checked."""

    #: Whether each write waits until it can be read: https://docs.risingwave.com/sql/commands/sql-set
    implicit_flush: bool = False
    #: Milliseconds that a query may take; None for the server's own limit.
    statement_timeout: int | None = None

    @classmethod
    def read(cls, alias: str, options: Mapping[str, Any]) -> ConnectionOptions:
        """Raise ImproperlyConfigured for what isn't right, or isn't there."""
        # The driver would SET default_transaction_isolation, which RisingWave doesn't know; and there is
        # no SET ROLE.
        for name in ("isolation_level", "assume_role"):
            if name in options:
                raise ImproperlyConfigured(
                    f"RisingWave has no such thing: remove {name!r} from OPTIONS of {alias!r}."
                )
        # RisingWave plans a statement before it has the parameters, and takes none in EXPLAIN, among others
        # (handle_parse in src/frontend/src/handler/extended_handle.rs at v3.0.3).
        if options.get("server_side_binding"):
            raise ImproperlyConfigured(
                "The driver puts the parameters into RisingWave's statements: remove 'server_side_binding' "
                f"from OPTIONS of {alias!r}."
            )
        values: dict[str, Any] = {}
        for name, read in _READERS.items():
            try:
                if name in options:
                    values[name] = read(options[name])
            except ValueError as error:
                raise ImproperlyConfigured(
                    f"OPTIONS[{name!r}] of {alias!r} must be {error}, not {options[name]!r}."
                ) from None
        return cls(**values)

    @classmethod
    def names(cls) -> list[str]:
        """Return what the driver must not get."""
        return [field.name for field in fields(cls)]

    def statements(self, server: ServerVersion) -> Iterator[str]:
        """Return what a new connection is sent.

        Not in the start-up packet (`options='-c …'`): which server it is shows only once connected.
        """
        if self.implicit_flush and server.is_risingwave:
            yield "SET rw_implicit_flush TO true"
        if self.statement_timeout is not None:
            if server.is_risingwave and server.numbers < _TIMEOUT_WITH_UNIT:
                # Rounded up, for 0 would be no limit.
                yield f"SET statement_timeout TO {-(-self.statement_timeout // 1_000)}"
            else:
                yield f"SET statement_timeout TO '{self.statement_timeout}ms'"


def _read_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("True or False")  # noqa: TRY004 - the caller says what it is, and raises its own
    return value


def _read_timeout(value: object) -> int:
    """Read seconds, a timedelta or a text with a unit. Return milliseconds."""
    milliseconds = 0.0
    if isinstance(value, timedelta):
        milliseconds = value.total_seconds() * 1_000
    elif isinstance(value, int | float) and not isinstance(value, bool):
        milliseconds = value * 1_000
    elif isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+)\s*(ms|s|min|h|d)\s*", value, re.ASCII)):
        milliseconds = int(match[1]) * _MILLISECONDS[match[2]]
    # As NaN compares, it is refused too.
    if not 1 <= milliseconds <= _MOST_MILLISECONDS:
        raise ValueError(
            'seconds, a timedelta or a text with a unit, such as "500ms", "5s", "2min", "1h" or "1d", from '
            "1 ms to 24 days"
        )
    return int(milliseconds)


_READERS = {"implicit_flush": _read_flag, "statement_timeout": _read_timeout}

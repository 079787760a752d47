"""This backend's own keys in DATABASES[alias]["OPTIONS"]. All others are the driver's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.version import ServerVersion

_MILLISECONDS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
# PostgreSQL's maximum, 24 days; RisingWave's is higher.
# https://www.postgresql.org/docs/18/runtime-config-client.html#GUC-STATEMENT-TIMEOUT
_MAX_TIMEOUT_MILLISECONDS = 2**31 - 1
# Older servers accept a number without a unit, in seconds. Newer ones require a unit:
# https://github.com/risingwavelabs/risingwave/pull/24633
_TIMEOUT_WITH_UNIT = (2, 8)

_ADDRESS = ("HOST", "PORT", "NAME", "USER", "PASSWORD", "SLOT")
_DATABASES = (
    f"a mapping of aliases to {', '.join(_ADDRESS)} or options of the connector, such as "
    '{"default": {"HOST": "postgres"}}'
)


@dataclass(frozen=True)
class ConnectionOptions:
    """The options after validation."""

    #: Whether each write waits until it is visible: https://docs.risingwave.com/sql/commands/sql-set
    implicit_flush: bool = False
    #: Milliseconds after which a query is cancelled; None for the server's own limit.
    statement_timeout: int | None = None
    #: Names and values of settings of RisingWave's sessions; the stand-in skips those that PostgreSQL lacks.
    session_settings: tuple[tuple[str, str], ...] = ()
    #: By alias of PostgreSQL, what is different for RisingWave, which mirrors tables of it: HOST, PORT, NAME,
    #: USER, PASSWORD, SLOT, and options of the connector postgres-cdc.
    mirrored_databases: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, alias: str, options: Mapping[str, Any]) -> ConnectionOptions:
        """Read OPTIONS. Raises ImproperlyConfigured for invalid values and unsupported keys."""
        # For these, Django would set default_transaction_isolation and a role, and RisingWave has neither.
        for name in ("isolation_level", "assume_role"):
            if name in options:
                raise ImproperlyConfigured(
                    f"RisingWave doesn't support {name}. Remove it from DATABASES[{alias!r}]['OPTIONS']."
                )
        # RisingWave plans a statement before it receives the parameters, and some statements, such as
        # EXPLAIN, can't have any (handle_parse in src/frontend/src/handler/extended_handle.rs at v3.0.3).
        if options.get("server_side_binding"):
            raise ImproperlyConfigured(
                "RisingWave doesn't support server_side_binding in all statements. Remove it from "
                f"DATABASES[{alias!r}]['OPTIONS']."
            )
        values: dict[str, Any] = {}
        for name, read in _READERS.items():
            try:
                if name in options:
                    values[name] = read(options[name])
            except ValueError as error:
                # The addresses of databases have passwords.
                given = "" if name == "mirrored_databases" else f", not {options[name]!r}"
                raise ImproperlyConfigured(
                    f"DATABASES[{alias!r}]['OPTIONS'][{name!r}] must be {error}{given}."
                ) from None
        return cls(**values)

    @classmethod
    def names(cls) -> list[str]:
        """Return the keys of OPTIONS that the driver must not get."""
        return [field.name for field in fields(cls)]

    def statements(self, server: ServerVersion) -> Iterator[str]:
        """Yield the statements that set up a new connection.

        They depend on the server, which isn't known yet when the start-up packet (`options='-c …'`) is sent.
        """
        if self.implicit_flush and server.is_risingwave:
            yield "SET rw_implicit_flush TO true"
        if self.statement_timeout is not None:
            if server.is_risingwave and server.numbers < _TIMEOUT_WITH_UNIT:
                # Round up: 0 would mean no limit.
                yield f"SET statement_timeout TO {-(-self.statement_timeout // 1_000)}"
            else:
                yield f"SET statement_timeout TO '{self.statement_timeout}ms'"
        for name, value in self.session_settings:
            literal = "'{}'".format(value.replace("'", "''"))
            if server.is_risingwave:
                yield f"SET {name} TO {literal}"
            else:
                yield f"SELECT set_config(name, {literal}, false) FROM pg_settings WHERE name = '{name}'"  # noqa: S608 - checked


def _read_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("True or False")  # noqa: TRY004 - the caller names the option and raises ImproperlyConfigured
    return value


def _read_timeout(value: object) -> int:
    """Return milliseconds from seconds, a timedelta or a string with a unit."""
    milliseconds = 0.0
    if isinstance(value, timedelta):
        milliseconds = value.total_seconds() * 1_000
    elif isinstance(value, int | float) and not isinstance(value, bool):
        milliseconds = value * 1_000
    elif isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+)\s*(ms|s|min|h|d)\s*", value, re.ASCII)):
        milliseconds = int(match[1]) * _MILLISECONDS[match[2]]
    # This refuses NaN too.
    if not 1 <= milliseconds <= _MAX_TIMEOUT_MILLISECONDS:
        raise ValueError(
            'seconds, a timedelta or a string with a unit, such as "500ms", "5s", "2min", "1h" or "1d", from '
            "1 ms to 24 days"
        )
    return int(milliseconds)


def _read_settings(value: object) -> tuple[tuple[str, str], ...]:
    """Return names and values as text from a mapping."""
    if isinstance(value, Mapping) and all(map(_is_setting, value.items())):
        return tuple(
            (name, str(setting).lower() if isinstance(setting, bool) else str(setting))
            for name, setting in value.items()
        )
    raise ValueError(
        'names in lower case with a string, a number or a boolean each, such as {"query_mode": "local"}'
    )


def _read_databases(value: object) -> Mapping[str, Mapping[str, Any]]:
    """Return the address of each mirrored database by its alias."""
    if not isinstance(value, Mapping):
        raise ValueError(_DATABASES)  # noqa: TRY004 - as above
    for address in value.values():
        if not isinstance(address, Mapping) or any(
            name.isupper() and name not in _ADDRESS for name in address
        ):
            raise ValueError(_DATABASES)
    return value


def _is_setting(item: tuple[object, object]) -> bool:
    name, value = item
    return (
        isinstance(name, str)
        and re.fullmatch(r"[a-z]\w*", name, re.ASCII) is not None
        and isinstance(value, str | int | float)
    )


_READERS: dict[str, Callable[[object], Any]] = {
    "mirrored_databases": _read_databases,
    "implicit_flush": _read_flag,
    "statement_timeout": _read_timeout,
    "session_settings": _read_settings,
}

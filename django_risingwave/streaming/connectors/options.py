"""Options of connectors, formats and encodings: `WITH (connector = 'kafka', …)`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from django_risingwave.drivers.literals import literal
from django_risingwave.streaming.definitions import Definition
from django_risingwave.streaming.secrets import Environment, Secret, SecretDefinition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Option: TypeAlias = "str | bool | int | float | Environment | Secret"


class ConnectedDefinition(Definition):
    """The definition of an object with options, whose values may be environment variables and secrets."""

    if TYPE_CHECKING:
        connector: Mapping[str, Option]
        encode_options: Mapping[str, Option]

    def options(self) -> dict[str, Option]:
        """Return the options of the connector and of the encoding."""
        return {**self.connector, **self.encode_options}

    def environment(self) -> Mapping[str, Environment]:
        variables = {f"option {name}": value for name, value in self.options().items()}
        return {name: value for name, value in variables.items() if isinstance(value, Environment)}

    def secrets(self) -> Mapping[str, Definition]:
        """Return the definitions of the secrets that have a value, by name."""
        return {
            value.name: SecretDefinition(value.name, value.value)
            for value in self.options().values()
            if isinstance(value, Secret) and value.value is not None
        }


# RisingWave reads a name in parts, and unquoted ones in lower case: parse_sql_option() in
# src/sqlparser/src/parser.rs at v3.0.3.
_PLAIN_PART = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)
# Names of options whose values are passwords, keys or tokens in RisingWave's connectors, such as
# properties.sasl.password, s3.credentials.secret, access_key, aws.credentials.secret_access_key.
_SENSITIVE = re.compile(
    r"password|passwd|secret|token|jaas|private.?key|access.?key|api.?key|credential",
    re.IGNORECASE,
)


# Values with a password, such as the option jdbc.url: "jdbc:postgresql://…?user=…&password=…".
_SENSITIVE_VALUE = re.compile(r"(password|passwd|secret|token)=|://[^/@\s]+:[^/@\s]+@", re.IGNORECASE)


def check_options(owner: str, options: Mapping[str, Option]) -> None:
    """Raise ValueError for a name or a value that can't be written."""
    if not isinstance(options, Mapping):
        raise ValueError(  # noqa: TRY004 - as for other wrong arguments of definitions
            f"{owner}: the options must be a dictionary, not {options!r}."
        )
    for name, value in options.items():
        if not isinstance(name, str) or not all(name.split(".")) or '"' in name:
            raise ValueError(f'{owner}: {name!r} isn\'t the name of an option, such as "scan.startup.mode".')
        if not isinstance(value, str | bool | int | float | Environment | Secret):
            raise ValueError(  # noqa: TRY004 - as for other wrong arguments of definitions
                f"{owner}: option {name} must be a string, a number, a boolean, an Environment or a Secret, "
                f"not {value!r}."
            )


def options_sql(options: Mapping[str, Option], quote_name: Callable[[str], str]) -> str:
    """Return the options with commas between them. A variable's name stands in place of its value."""
    return ", ".join(f"{_name(name)} = {_value(value, quote_name)}" for name, value in options.items())


def exposed(options: Mapping[str, Option]) -> Iterator[str]:
    """Yield the names of the options whose values look like secrets and are written down."""
    for name, value in options.items():
        if isinstance(value, str) and value and (_SENSITIVE.search(name) or _SENSITIVE_VALUE.search(value)):
            yield name


def _name(name: str) -> str:
    return ".".join(part if _PLAIN_PART.fullmatch(part) else f'"{part}"' for part in name.split("."))


def _value(value: Option, quote_name: Callable[[str], str]) -> str:
    match value:
        case Secret():
            return f"SECRET {quote_name(value.name)}"
        case bool():
            return "'true'" if value else "'false'"
        case _:
            return literal(str(value))

"""Values that belong in no file: environment variables, and the secrets that RisingWave keeps."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

from django_risingwave.streaming.definitions import Definition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Environment:
    """The value of an environment variable, which is read when the migration runs.

    Migration files, the output of sqlmigrate, logs and error messages contain the variable's name only. The
    value of an option in the object's definition isn't hidden on the server: `SHOW CREATE SOURCE` shows it.
    """

    variable: str

    def __post_init__(self) -> None:
        if not self.variable or not self.variable.isidentifier():
            raise ValueError(f"{self.variable!r} isn't the name of an environment variable.")

    def __str__(self) -> str:
        """Return what stands for the value in SQL that is shown."""
        return f"${{{self.variable}}}"

    def read(self, purpose: str) -> str:
        """Return the value. Raises ImproperlyConfigured, with the purpose, if the variable isn't set."""
        try:
            return os.environ[self.variable]
        except KeyError:
            raise ImproperlyConfigured(
                f"Environment variable {self.variable} isn't set, but it has the value of {purpose}. Set it "
                "where migrate runs."
            ) from None

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return the path and the arguments for a migration file."""
        return f"{__name__}.Environment", [self.variable], {}


@dataclass(frozen=True)
class Secret:
    """A secret that RisingWave keeps, as the value of an option: `SECRET kafka_password`.

    With a value, makemigrations writes the operation that creates the secret. Without one, create it by
    yourself. https://docs.risingwave.com/operate/manage-secrets
    """

    name: str
    value: Environment | None = None

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return the path and the arguments for a migration file."""
        values = [self.name] if self.value is None else [self.name, self.value]
        return f"{__name__}.Secret", values, {}


@dataclass(frozen=True)
class SecretDefinition(Definition):
    """A secret, whose value is an environment variable's when the migration runs."""

    kind = "SECRET"

    value: Environment

    def __post_init__(self) -> None:
        if not isinstance(self.value, Environment):
            # Without the value, which would stand in the migration file and here.
            raise ValueError(  # noqa: TRY004 - as for other wrong arguments of definitions
                f'The value of secret {self.name!r} must come from the environment. Use Environment("…").'
            )

    def create_sql(self, quote_name: Callable[[str], str]) -> str:
        return f"CREATE SECRET {quote_name(self.name)} WITH (backend = 'meta') AS '{self.value}'"

    def environment(self) -> Mapping[str, Environment]:
        return {f"secret {self.name!r}": self.value}

from __future__ import annotations

from typing import Any, NoReturn

from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError
from django.db import ProgrammingError
from django.db.backends.postgresql.creation import DatabaseCreation as PostgreSQLDatabaseCreation


class DatabaseCreation(PostgreSQLDatabaseCreation):
    """Makes and drops the test database."""

    def sql_table_creation_suffix(self) -> str:
        """Return nothing: ENCODING and TEMPLATE are syntax errors (src/sqlparser/src/parser.rs at v3.0.3)."""
        for name in ("CHARSET", "COLLATION", "TEMPLATE"):
            if self.connection.settings_dict["TEST"].get(name):
                raise ImproperlyConfigured(
                    f"RisingWave's CREATE DATABASE has no such thing: remove {name!r} from TEST of "
                    f"{self.connection.alias!r}."
                )
        return ""

    def _clone_test_db(self, suffix: str, verbosity: int, keepdb: bool = False) -> NoReturn:  # noqa: FBT001, FBT002 - Django's signature
        """Refuse, after taking back the database that would be copied: CREATE DATABASE has no TEMPLATE."""
        self.connection.close()
        if not keepdb:
            self._destroy_test_db(self.connection.settings_dict["NAME"], verbosity)  # type: ignore[attr-defined]  # not in the stubs
        raise CommandError(
            f"RisingWave can't copy a database, and each process of a parallel run needs a copy of "
            f"{self.connection.alias!r}: run the tests without --parallel."
        )

    def _execute_create_test_db(self, cursor: Any, parameters: dict[str, str], keepdb: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        # RisingWave answers "duplicate object" (42710, src/meta/src/error.rs at v3.0.3) where Django expects
        # PostgreSQL's "duplicate database", and would end the test run.
        if self._database_exists(cursor, parameters["dbname"]):  # type: ignore[attr-defined]  # not in the stubs
            if keepdb:
                return
            raise ProgrammingError(f"database {parameters['dbname']} already exists")
        super()._execute_create_test_db(cursor, parameters, keepdb)  # type: ignore[misc]  # not in the stubs

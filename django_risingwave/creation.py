from __future__ import annotations

from typing import Any

from django.db import ProgrammingError
from django.db.backends.postgresql.creation import DatabaseCreation as PostgreSQLDatabaseCreation


class DatabaseCreation(PostgreSQLDatabaseCreation):
    """Makes and drops the test database."""

    def _execute_create_test_db(self, cursor: Any, parameters: dict[str, str], keepdb: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        # RisingWave answers "duplicate object" (42710, src/meta/src/error.rs at v3.0.3) where Django expects
        # PostgreSQL's "duplicate database", and would end the test run.
        if self._database_exists(cursor, parameters["dbname"]):  # type: ignore[attr-defined]  # not in the stubs
            if keepdb:
                return
            raise ProgrammingError(f"database {parameters['dbname']} already exists")
        super()._execute_create_test_db(cursor, parameters, keepdb)  # type: ignore[misc]  # not in the stubs

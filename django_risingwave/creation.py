from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError
from django.db import ProgrammingError, connections
from django.db.backends.postgresql.creation import DatabaseCreation as PostgreSQLDatabaseCreation

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper


class DatabaseCreation(PostgreSQLDatabaseCreation):
    """Creates, fills and drops the test database."""

    connection: DatabaseWrapper

    def create_test_db(self, *args: Any, **kwargs: Any) -> str:
        """Create the views and subscriptions of apps too whose migrations are disabled.

        MIGRATION_MODULES, TEST["MIGRATE"] and pytest-django's --nomigrations disable them.
        """
        from django_risingwave.streaming.detecting import without_migrations  # noqa: PLC0415 - imports operations

        name: str = super().create_test_db(*args, **kwargs)
        if self.connection.settings_dict["TEST"]["MIGRATE"]:
            labels = without_migrations.apps_without_migrations()
        else:
            labels = {config.label for config in apps.get_app_configs()}
        without_migrations.create_without_migrations(self.connection, labels)
        for alias in connections:
            if connections[alias].vendor == "postgresql":
                self._end_mirrors_before(connections[alias].creation)
        return name

    def _end_mirrors_before(self, creation: Any) -> None:
        """Let another database's creation end its mirrors on this one before it drops its test database.

        PostgreSQL doesn't drop a database that a replication slot reads. Django drops its databases in the
        order in which it has created them, this one later than those that it mirrors.
        """
        if "destroy_test_db" in vars(creation):
            return
        destroy = creation.destroy_test_db

        def destroy_test_db(
            old_database_name: str | None = None,
            verbosity: int = 1,
            keepdb: bool = False,  # noqa: FBT001, FBT002 - Django's signature
            suffix: str | None = None,
        ) -> None:
            del creation.destroy_test_db
            if not keepdb:
                self._end_mirrors()
            destroy(old_database_name, verbosity, keepdb, suffix)

        creation.destroy_test_db = destroy_test_db

    def _end_mirrors(self) -> None:
        from django_risingwave.models import Mirror  # noqa: PLC0415 - needs the app registry
        from django_risingwave.streaming.mirrors import end_mirrors  # noqa: PLC0415 - imports models

        # Without mirrors, no query: Django's tests of the creation of databases allow none.
        if any(issubclass(model, Mirror) for model in apps.get_models()):
            end_mirrors(self.connection)

    def destroy_test_db(
        self,
        old_database_name: str | None = None,
        verbosity: int = 1,
        keepdb: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        suffix: str | None = None,
    ) -> None:
        """Drop the test database, after the replication of its mirrors has ended."""
        if not keepdb:
            self._end_mirrors()
        super().destroy_test_db(old_database_name, verbosity, keepdb, suffix)

    def sql_table_creation_suffix(self) -> str:
        """Return nothing: ENCODING and TEMPLATE are syntax errors (src/sqlparser/src/parser.rs at v3.0.3)."""
        for name in ("CHARSET", "COLLATION", "TEMPLATE"):
            if self.connection.settings_dict["TEST"].get(name):
                raise ImproperlyConfigured(
                    f"RisingWave's CREATE DATABASE doesn't support {name}. Remove it from "
                    f"DATABASES[{self.connection.alias!r}]['TEST']."
                )
        return ""

    def deserialize_db_from_string(self, data: str) -> None:
        """Save the rows of a test with serialized_rollback, and wait once instead of after each row."""
        with self.connection.without_implicit_flush():
            super().deserialize_db_from_string(data)
        self.connection.flush()

    def _clone_test_db(self, suffix: str, verbosity: int, keepdb: bool = False) -> NoReturn:  # noqa: FBT001, FBT002 - Django's signature
        """Refuse, after dropping the database to copy: CREATE DATABASE has no TEMPLATE."""
        self.connection.close()
        if not keepdb:
            self._destroy_test_db(self.connection.settings_dict["NAME"], verbosity)  # type: ignore[attr-defined]  # not in the stubs
        raise CommandError(
            f"RisingWave can't copy the database {self.connection.alias!r}, which parallel tests need. Run "
            "the tests without --parallel."
        )

    def _execute_create_test_db(self, cursor: Any, parameters: dict[str, str], keepdb: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        # RisingWave reports "duplicate object" (42710, src/meta/src/error.rs at v3.0.3). Django expects
        # PostgreSQL's "duplicate database", and ends the test run on any other error.
        if self._database_exists(cursor, parameters["dbname"]):  # type: ignore[attr-defined]  # not in the stubs
            if keepdb:
                return
            raise ProgrammingError(f"database {parameters['dbname']} already exists")
        super()._execute_create_test_db(cursor, parameters, keepdb)  # type: ignore[misc]  # not in the stubs

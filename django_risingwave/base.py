"""The connection: Django's PostgreSQL backend without the features that RisingWave lacks."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, OperationalError
from django.db.backends.base.base import NO_DB_ALIAS
from django.utils.functional import cached_property

try:
    from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQLDatabaseWrapper
    from django.db.backends.postgresql.psycopg_any import is_psycopg3
except ImproperlyConfigured as error:
    raise ImproperlyConfigured(
        f"{error}. Install a PostgreSQL driver, with which this backend connects to RisingWave: "
        'pip install "risingwave-django[psycopg2]" or pip install "risingwave-django[psycopg3]".'
    ) from error

from django_risingwave.client import DatabaseClient
from django_risingwave.columns.keys import holds_keys
from django_risingwave.creation import DatabaseCreation
from django_risingwave.drivers.cursors import ServerSideCursor
from django_risingwave.errors import DatabaseErrorWrapper
from django_risingwave.expressions.functions import register_functions
from django_risingwave.features import DatabaseFeatures
from django_risingwave.introspection import DatabaseIntrospection
from django_risingwave.operations import DatabaseOperations
from django_risingwave.options import ConnectionOptions
from django_risingwave.schema import DatabaseSchemaEditor
from django_risingwave.standin.server import StandIn
from django_risingwave.version import ServerVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def _integer_column(field: Mapping[str, Any]) -> str:
    return "bigint" if holds_keys(field) else "integer"


def _smallinteger_column(field: Mapping[str, Any]) -> str:
    return "bigint" if holds_keys(field) else "smallint"


class DatabaseWrapper(PostgreSQLDatabaseWrapper):
    """A connection to RisingWave, or to a PostgreSQL stand-in, which gets the same SQL."""

    vendor = "risingwave"
    display_name = "RisingWave"

    # RisingWave's types have no arguments: varchar(n) is a syntax error, numeric(p, s) an unsupported type.
    # It has neither uuid nor inet. https://docs.risingwave.com/sql/data-types/overview,
    # src/frontend/src/binder/expr/mod.rs (bind_data_type) at v3.0.3.
    data_types: dict[str, Any] = PostgreSQLDatabaseWrapper.data_types | {
        "AutoField": "bigint",
        "SmallAutoField": "bigint",
        "CharField": "varchar",
        "DecimalField": "numeric",
        "FileField": "varchar",
        "FilePathField": "varchar",
        "GenericIPAddressField": "varchar",
        "IntegerField": _integer_column,
        "IPAddressField": "varchar",
        "PositiveIntegerField": _integer_column,
        "PositiveSmallIntegerField": _smallinteger_column,
        "SlugField": "varchar",
        "SmallIntegerField": _smallinteger_column,
        "UUIDField": "varchar",
    }
    # RisingWave has no CHECK: src/frontend/src/handler/create_table.rs at v3.0.3.
    data_type_check_constraints: dict[str, str] = {}  # noqa: RUF012 - Django's
    # RisingWave has neither identity columns nor sequences: columns/keys.py generates the keys.
    data_types_suffix: dict[str, str] = {}  # noqa: RUF012 - Django's
    # RisingWave parses `~*` but doesn't implement it (src/frontend/src/binder/expr/binary_op.rs at v3.0.3).
    # On both servers a regular expression may start with its options.
    operators = PostgreSQLDatabaseWrapper.operators | {"iregex": "~ ('(?i)' || %s)"}

    SchemaEditorClass = DatabaseSchemaEditor
    client_class = DatabaseClient
    creation_class = DatabaseCreation
    features_class = DatabaseFeatures
    introspection_class = DatabaseIntrospection
    ops_class = DatabaseOperations

    # Django chooses SQL by this number. RisingWave always reports 13.14, the stand-in its own version; one
    # number for both makes Django send both the same SQL.
    pg_version = 150_000

    _server_version: ServerVersion | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        register_functions()
        super().__init__(*args, **kwargs)

    if TYPE_CHECKING:
        introspection: DatabaseIntrospection

        def schema_editor(self, *args: Any, **kwargs: Any) -> DatabaseSchemaEditor: ...

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        """A context manager that raises Django's exceptions instead of the driver's."""
        return DatabaseErrorWrapper(self)

    # The server ---------------------------------------------------------------------------------------

    @property
    def server_version(self) -> ServerVersion:
        """The server's kind and version, read once per connection because a server may be replaced."""
        if self._server_version is None:
            with self.temporary_connection():
                self._server_version = self._read_server_version()
        return self._server_version

    def _read_server_version(self) -> ServerVersion:
        # The driver's own cursor keeps this out of connection.queries.
        with self.wrap_database_errors, self.connection.cursor() as cursor:
            cursor.execute("SELECT version()")
            return ServerVersion.parse(cursor.fetchone()[0])

    @property
    def is_risingwave(self) -> bool:
        """Whether the server is RisingWave rather than a PostgreSQL stand-in."""
        return self.server_version.is_risingwave

    @property
    def standin(self) -> StandIn | None:
        """What PostgreSQL does in RisingWave's place; None on RisingWave."""
        return None if self.is_risingwave else StandIn(self)

    @property
    def server_name(self) -> str:
        """The server's name for people: "RisingWave 3.0.3", "PostgreSQL 18.4 (stand-in)"."""
        return self.server_version.name

    def get_database_version(self) -> tuple[int, ...]:
        """Return RisingWave's version, such as (3, 0, 3), not the PostgreSQL version that it reports."""
        return self.server_version.numbers

    def check_database_version_supported(self) -> None:
        """Raise NotSupportedError if the server is older than the minimum in version.py."""
        if self.features.minimum_database_version is not None:
            self.server_version.check_supported()

    # Connecting ---------------------------------------------------------------------------------------

    def get_connection_params(self) -> dict[str, Any]:
        """Return the driver's parameters: all but this backend's own options, which are checked here."""
        own = self._options
        params: dict[str, Any] = super().get_connection_params()
        for name in own.names():
            params.pop(name, None)
        return params

    @property
    def _options(self) -> ConnectionOptions:
        return ConnectionOptions.read(self.alias, self.settings_dict["OPTIONS"])

    @property
    def mirrored_databases(self) -> Mapping[str, Mapping[str, Any]]:
        """What OPTIONS["mirrored_databases"] says of the PostgreSQL databases with mirrored tables."""
        return self._options.mirrored_databases

    def connect(self) -> None:
        """Connect, and discard the connection if setting it up fails: the next query would use it."""
        try:
            super().connect()
        except Exception:
            self.close()
            raise

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self._server_version = None
        connection = super().get_new_connection(conn_params)
        # Set it before the first statement: the driver would send BEGIN ahead of it.
        connection.autocommit = True
        if is_psycopg3:
            from django_risingwave.drivers.psycopg3 import register_adapters  # noqa: PLC0415 - imports psycopg 3

            register_adapters(connection)
        else:
            from django_risingwave.drivers.psycopg2 import Cursor  # noqa: PLC0415 - imports psycopg2

            connection.cursor_factory = Cursor
        return connection

    def init_connection_state(self) -> None:
        super().init_connection_state()
        # Reading the version costs a query, which connections without options are spared.
        if (own := self._options) != ConnectionOptions():
            with self.connection.cursor() as cursor:
                for statement in own.statements(self.server_version):
                    cursor.execute(statement)

    def limit_queries(self, seconds: float) -> None:
        """Limit each query of this session to `seconds`, as OPTIONS["statement_timeout"] does."""
        limit = ConnectionOptions(statement_timeout=int(seconds * 1_000))
        with self.cursor() as cursor:
            for statement in limit.statements(self.server_version):
                cursor.execute(statement)

    def has_session_setting(self, name: str) -> bool:
        """Return whether OPTIONS["session_settings"] sets this setting of the session."""
        return any(setting == name for setting, _ in self._options.session_settings)

    @contextmanager
    def _nodb_cursor(self) -> Iterator[Any]:
        # PostgreSQL's default database is "postgres", RisingWave's is "dev" (src/common/src/catalog/mod.rs at
        # v3.0.3). Only a connection tells which server it is, so try both.
        for name in ("postgres", "dev"):
            connection = self.__class__({**self.settings_dict, "NAME": name}, alias=NO_DB_ALIAS)
            try:
                connection.ensure_connection()
            except OperationalError:
                if name == "dev":
                    raise
                continue
            try:
                with connection.cursor() as cursor:
                    yield cursor
            finally:
                connection.close()
            return

    # Writes and reads ---------------------------------------------------------------------------------

    def flush(self) -> None:
        """Wait until all earlier writes are visible: https://docs.risingwave.com/sql/commands/sql-flush.

        RisingWave makes a write visible at the next checkpoint, about a second later by default. On
        PostgreSQL writes are visible at once, so nothing is sent.
        """
        if self.is_risingwave:
            with self.cursor() as cursor:
                cursor.execute("FLUSH")

    @property
    def waits_for_each_write(self) -> bool:
        """Whether each write waits until it is visible: OPTIONS["implicit_flush"]."""
        return self._options.implicit_flush and self.is_risingwave

    @contextmanager
    def without_implicit_flush(self) -> Iterator[None]:
        """Send the writes of a block without a wait for each. Call flush() when they must be visible."""
        if not self.waits_for_each_write:
            yield
            return
        self._set_implicit_flush(to=False)
        try:
            yield
        except Exception:
            # Another error, such as a lost connection, must not hide the first.
            with suppress(Error):
                self._set_implicit_flush(to=True)
            raise
        self._set_implicit_flush(to=True)

    def _set_implicit_flush(self, *, to: bool) -> None:
        with self.cursor() as cursor:
            cursor.execute(f"SET rw_implicit_flush TO {str(to).lower()}")

    def create_cursor(self, name: str | None = None) -> Any:
        """Return the driver's cursor, or a server-side cursor if there is a name, as in chunked_cursor()."""
        cursor = super().create_cursor()
        return cursor if name is None else ServerSideCursor(cursor, name, hold=not self.is_risingwave)

    # RisingWave has no transactions and rolls nothing back. BEGIN only gives a notice, COMMIT and ROLLBACK
    # close the session's query cursors, SAVEPOINT is a syntax error
    # (src/frontend/src/handler/transaction.rs at v3.0.3). So atomic() sends nothing, on either server.

    def _set_autocommit(self, autocommit: bool) -> None:  # noqa: FBT001 - Django's signature
        pass

    def _start_transaction_under_autocommit(self) -> None:
        """Do nothing. If this method exists, atomic() calls it instead of logging BEGIN as a query."""

    def _commit(self) -> None:
        pass

    def _rollback(self) -> None:
        pass

    def check_constraints(self, table_names: Any = None) -> None:
        """Do nothing: no constraint is deferrable, and SET CONSTRAINTS is a syntax error."""

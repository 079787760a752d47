"""The connection. Django's PostgreSQL backend, minus what RisingWave has not."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.db.backends.base.base import NO_DB_ALIAS
from django.utils.functional import cached_property

try:
    from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQLDatabaseWrapper
    from django.db.backends.postgresql.psycopg_any import is_psycopg3
except ImproperlyConfigured as error:
    raise ImproperlyConfigured(
        f"{error}. RisingWave is reached by a driver of PostgreSQL's: "
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
    """A connection to RisingWave, or to PostgreSQL in its place: both get the same SQL."""

    vendor = "risingwave"
    display_name = "RisingWave"

    # Types without arguments: varchar(n) is a syntax error, numeric(p, s) an unsupported type. There is no
    # uuid and no inet. https://docs.risingwave.com/sql/data-types/overview,
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
    # No CHECK: src/frontend/src/handler/create_table.rs at v3.0.3.
    data_type_check_constraints: dict[str, str] = {}  # noqa: RUF012 - Django's
    # No identity columns, no sequences: columns/keys.py makes the keys.
    data_types_suffix: dict[str, str] = {}  # noqa: RUF012 - Django's
    # `~*` parses, and is not implemented (src/frontend/src/binder/expr/binary_op.rs at v3.0.3). Both servers'
    # regular expressions may begin with their options.
    operators = PostgreSQLDatabaseWrapper.operators | {"iregex": "~ ('(?i)' || %s)"}

    SchemaEditorClass = DatabaseSchemaEditor
    client_class = DatabaseClient
    creation_class = DatabaseCreation
    features_class = DatabaseFeatures
    introspection_class = DatabaseIntrospection
    ops_class = DatabaseOperations

    # Django picks SQL by this number. RisingWave says 13.14 and always has, the stand-in what it is; with
    # one number both get the same SQL.
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
        """Context manager that raises Django's exceptions for the driver's."""
        return DatabaseErrorWrapper(self)

    # The server ---------------------------------------------------------------------------------------

    @property
    def server_version(self) -> ServerVersion:
        """What is at the other end. Asked anew on each connection made, since a server may be replaced."""
        if self._server_version is None:
            with self.temporary_connection():
                self._server_version = self._read_server_version()
        return self._server_version

    def _read_server_version(self) -> ServerVersion:
        # The driver's cursor, so that it is not one of the user's queries.
        with self.wrap_database_errors, self.connection.cursor() as cursor:
            cursor.execute("SELECT version()")
            return ServerVersion.parse(cursor.fetchone()[0])

    @property
    def is_risingwave(self) -> bool:
        """Whether this is RisingWave itself rather than PostgreSQL in its place."""
        return self.server_version.is_risingwave

    @property
    def standin(self) -> StandIn | None:
        """What PostgreSQL does in RisingWave's place; None on RisingWave."""
        return None if self.is_risingwave else StandIn(self)

    @property
    def server_name(self) -> str:
        """As a page may show it: "RisingWave 3.0.3", "PostgreSQL 18.4 (stand-in)"."""
        return self.server_version.name

    def get_database_version(self) -> tuple[int, ...]:
        """Return the server's own version, (3, 0, 3), not the PostgreSQL that RisingWave claims to be."""
        return self.server_version.numbers

    def check_database_version_supported(self) -> None:
        """Raise NotSupportedError for a server older than version.py's floors."""
        if self.features.minimum_database_version is not None:
            self.server_version.check_supported()

    # Connecting ---------------------------------------------------------------------------------------

    def get_connection_params(self) -> dict[str, Any]:
        """Return what the driver gets, with the options that are not the driver's checked and taken out."""
        own = self._options
        params: dict[str, Any] = super().get_connection_params()
        for name in own.names():
            params.pop(name, None)
        return params

    @property
    def _options(self) -> ConnectionOptions:
        return ConnectionOptions.read(self.alias, self.settings_dict["OPTIONS"])

    def connect(self) -> None:
        """Connect, or have no connection: the next query would use one that failed on the way."""
        try:
            super().connect()
        except Exception:
            self.close()
            raise

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self._server_version = None
        connection = super().get_new_connection(conn_params)
        # Before the first statement, which the driver would send a BEGIN for.
        connection.autocommit = True
        if is_psycopg3:
            from django_risingwave.drivers.psycopg3 import adapt  # noqa: PLC0415 - imports psycopg 3

            adapt(connection)
        else:
            from django_risingwave.drivers.psycopg2 import Cursor  # noqa: PLC0415 - imports psycopg2

            connection.cursor_factory = Cursor
        return connection

    def init_connection_state(self) -> None:
        super().init_connection_state()
        # The server is asked what it is only if it matters.
        if (own := self._options) != ConnectionOptions():
            with self.connection.cursor() as cursor:
                for statement in own.statements(self.server_version):
                    cursor.execute(statement)

    def limit_queries(self, seconds: float) -> None:
        """Let each query of this session take so long at most, as OPTIONS["statement_timeout"] does."""
        limit = ConnectionOptions(statement_timeout=int(seconds * 1_000))
        with self.cursor() as cursor:
            for statement in limit.statements(self.server_version):
                cursor.execute(statement)

    @contextmanager
    def _nodb_cursor(self) -> Iterator[Any]:
        # PostgreSQL always has a database "postgres"; RisingWave has "dev" instead
        # (src/common/src/catalog/mod.rs at v3.0.3). Which server it is shows only once connected.
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
        """Wait until every write so far can be read: https://docs.risingwave.com/sql/commands/sql-flush.

        RisingWave shows a write at the next checkpoint, about a second later by default. PostgreSQL shows
        its writes at once: nothing is sent.
        """
        if self.is_risingwave:
            with self.cursor() as cursor:
                cursor.execute("FLUSH")

    def create_cursor(self, name: str | None = None) -> Any:
        """Return the driver's cursor; with a name, as chunked_cursor() asks for, one of the server's."""
        cursor = super().create_cursor()
        return cursor if name is None else ServerSideCursor(cursor, name, hold=not self.is_risingwave)

    # Transactions: there are none, nothing rolls back. BEGIN is answered with a notice and starts nothing,
    # COMMIT and ROLLBACK close the session's query cursors, SAVEPOINT is a syntax error
    # (src/frontend/src/handler/transaction.rs at v3.0.3). So atomic() sends nothing, on either server.

    def _set_autocommit(self, autocommit: bool) -> None:  # noqa: FBT001 - Django's signature
        pass

    def _start_transaction_under_autocommit(self) -> None:
        """Do nothing: where this is there, atomic() logs no BEGIN as a query."""

    def _commit(self) -> None:
        pass

    def _rollback(self) -> None:
        pass

    def check_constraints(self, table_names: Any = None) -> None:
        """Do nothing: there are no constraints to defer, and SET CONSTRAINTS is a syntax error."""

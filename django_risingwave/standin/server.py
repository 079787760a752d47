from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from django.db import Error, NotSupportedError, OperationalError

from django_risingwave.standin import catalog, changes, connectors
from django_risingwave.standin.functions import CHANNEL, CLEANUP, REFRESH, SETUP
from django_risingwave.standin.mirrors import Mirrors
from django_risingwave.standin.sql import quote
from django_risingwave.streaming.connectors.definitions import (
    ConnectorDefinition,
    ConnectorTableDefinition,
    SourceDefinition,
)
from django_risingwave.streaming.definitions import (
    LeadingRowsDefinition,
    MaterializedViewDefinition,
    SubscriptionDefinition,
    TotalsDefinition,
)
from django_risingwave.streaming.mirrors import MirrorDefinition
from django_risingwave.streaming.notifications import Notifications
from django_risingwave.streaming.secrets import SecretDefinition
from django_risingwave.streaming.sinks import SinkDefinition
from django_risingwave.streaming.views import ViewDefinition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.schema import DatabaseSchemaEditor
    from django_risingwave.streaming.definitions import Definition


class StandIn:
    """What PostgreSQL must do in RisingWave's place: DatabaseWrapper.standin."""

    def __init__(self, connection: DatabaseWrapper) -> None:
        self.connection = connection

    # Objects ---------------------------------------------------------------------------------------------

    def create(self, definition: Definition, editor: DatabaseSchemaEditor) -> None:
        """Create what takes the place of the defined object.

        Raises NotSupportedError, naming the limit, if the stand-in can't create it.
        """
        match definition:
            case (
                MaterializedViewDefinition() | ViewDefinition() | LeadingRowsDefinition() | TotalsDefinition()
            ):
                self._create_view(_as_view(definition), editor)
            case SubscriptionDefinition():
                editor.execute(changes.create_sql(definition, self._schema()), None)
            case MirrorDefinition():
                self._mirrors().create(definition, editor)
            case ConnectorDefinition():
                self.record(definition, editor, connectors.create_table_sql(definition))
            case SinkDefinition():
                connectors.check_sink(definition)
                self.record(definition, editor)
            case SecretDefinition():
                # Nothing needs its value.
                pass
            case _:
                raise _unsupported(definition)

    def drop(self, definition: Definition, editor: DatabaseSchemaEditor) -> None:
        """Drop what create() created."""
        match definition:
            case (
                MaterializedViewDefinition() | ViewDefinition() | LeadingRowsDefinition() | TotalsDefinition()
            ):
                with self.connection.cursor() as cursor:
                    if readers := self.get_dependents(cursor, definition.name):
                        raise _in_use(definition, readers)
                    dropped = catalog.drop_view_sql(cursor, self._schema(), definition.name)
                # SETUP, since an older version may have created the view.
                self._execute([SETUP, dropped, REFRESH, CLEANUP], editor)
            case SubscriptionDefinition():
                editor.execute(changes.drop_sql(definition), None)
            case MirrorDefinition():
                self._mirrors().drop(definition, editor)
            case ConnectorDefinition():
                self._forget(definition, editor, connectors.drop_table_sql(definition))
            case SinkDefinition():
                self._forget(definition, editor)
            case SecretDefinition():
                pass
            case _:
                raise _unsupported(definition)

    def record(self, definition: Definition, editor: DatabaseSchemaEditor, create_sql: str = "") -> None:
        """Record a definition, in place of an earlier one of the same name, and create its table."""
        recorded = [catalog.forget_sql(definition.name), catalog.record_sql(definition)]
        editor.execute("\n".join([SETUP, create_sql, *recorded]), None)

    def _forget(self, definition: Definition, editor: DatabaseSchemaEditor, drop_sql: str = "") -> None:
        statements = [SETUP, drop_sql, catalog.forget_sql(definition.name), CLEANUP]
        editor.execute("\n".join(statements), None)

    def _create_view(
        self,
        definition: ViewDefinition | LeadingRowsDefinition | TotalsDefinition,
        editor: DatabaseSchemaEditor,
    ) -> None:
        from django_risingwave.standin.choosing import Chooser  # noqa: PLC0415 - imports sqlglot
        from django_risingwave.standin.replacing import create_view_sql  # noqa: PLC0415 - imports sqlglot

        with self.connection.cursor() as cursor:
            form = Chooser(cursor, self._schema()).choose(definition)
        # sqlmigrate shows first which form the view has.
        comment, _, statements = create_view_sql(definition, form).partition("\n")
        self._execute([comment, SETUP, statements, REFRESH], editor)

    def replace(self, pairs: Sequence[tuple[Definition, Definition]], editor: DatabaseSchemaEditor) -> None:
        """Replace the first of each pair by the second, and create again all views that stand on it.

        Other sessions never miss a view: it is one transaction. Raises NotSupportedError, naming the limit.
        """
        from django_risingwave.standin.replacing import replace_sql  # noqa: PLC0415 - imports sqlglot

        views = [(_as_view(old), _as_view(new)) for old, new in pairs]
        with self.connection.cursor() as cursor:
            statements, names = replace_sql(cursor, self._schema(), views)
        self._execute([SETUP, statements, REFRESH, changes.renew_sql(names)], editor)

    def rename(self, definition: Definition, new_name: str, editor: DatabaseSchemaEditor) -> None:
        """Rename what create() created. What reads it goes on with it."""
        from django_risingwave.standin.replacing import rename_sql  # noqa: PLC0415 - imports sqlglot

        old = definition.name
        if isinstance(definition, ConnectorDefinition):
            statements = "\n".join(
                [
                    f"ALTER TABLE {quote(old)} RENAME TO {quote(new_name)};",
                    catalog.forget_sql(old),
                    catalog.record_sql(dataclasses.replace(definition, name=new_name)),
                ]
            )
            self._execute([SETUP, statements, changes.rename_sql(old, new_name)], editor)
            return
        with self.connection.cursor() as cursor:
            statements = rename_sql(cursor, self._schema(), _as_view(definition).name, new_name)
        self._execute([SETUP, statements, REFRESH, changes.rename_sql(old, new_name)], editor)

    def _execute(self, statements: list[str], editor: DatabaseSchemaEditor) -> None:
        """Execute the statements as one transaction, which PostgreSQL makes of one string.

        Raises an error that names the view which can't be created.
        """
        sql = "\n".join(statements)
        try:
            editor.execute(sql, None)
        except Error as error:
            from django_risingwave.standin.failures import explain  # noqa: PLC0415 - imports sqlglot

            if explained := explain(error, sql):
                raise explained from error
            raise

    def _mirrors(self) -> Mirrors:
        return Mirrors(self.connection, self._schema())

    def copy_mirror_again(self, mirror: MirrorDefinition, editor: DatabaseSchemaEditor) -> None:
        """Give an altered mirror its rows again, and record its definition."""
        self._mirrors().copy_again(mirror, editor)

    def drop_replication(self) -> None:
        """End the replication of mirrors, which keeps both databases from being dropped."""
        self._mirrors().drop_subscriptions()

    def wait_until_mirrored(self, seconds: float) -> None:
        """Wait until the mirrors have what is committed in PostgreSQL now. Raises TimeoutError."""
        self._mirrors().wait_until_applied(seconds)

    def _schema(self) -> str:
        """Return the schema in which the session creates tables: the first of its search_path that exists."""
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT current_schema()")
            ((schema,),) = cursor.fetchall()
        # Without one, creating the view fails, as creating a table does.
        return schema or "public"

    # Questions -------------------------------------------------------------------------------------------

    def select_sql(self, definition: ViewDefinition) -> str:
        """Return the SELECT that PostgreSQL runs for the view.

        Raises NotSupportedError, as create() does.
        """
        from django_risingwave.standin.choosing import select_sql  # noqa: PLC0415 - imports sqlglot

        return select_sql(definition)

    def listen(self) -> Notifications:
        """Listen for the names of materialized views whose rows change. Raises django.db.Error."""
        return Notifications(self.connection, CHANNEL)

    def open_log(self, subscription: str) -> changes.LogCursor:
        """Return a cursor over the changes of a subscription, which isn't declared yet."""
        return changes.LogCursor(self.connection, subscription)

    def get_subscription_sources(self, cursor: Any) -> dict[str, str]:
        """Return the relation of each subscription, by the subscription's name."""
        return changes.get_subscription_sources(cursor)

    def expire(self) -> bool:
        """Let the rows leave that a temporal filter leaves out by now. Return whether no more can leave now.

        False: many have to leave, or a transaction that writes takes too long. After some seconds without
        success the views compute their SELECT, so they are right anyway. Raises django.db.Error.
        """
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT to_regprocedure('standin.expire()') IS NOT NULL")
            if cursor.fetchone() != (True,):
                return True
            try:
                cursor.execute("SELECT standin.expire()")
            except OperationalError:
                # Such as statement_timeout. A lost connection is another matter.
                if not self.connection.is_usable():
                    raise
                return False
            return bool(cursor.fetchone() == (True,))

    def get_moving(self, relations: Collection[str]) -> frozenset[str]:
        """Return those of the views whose rows change by themselves, as time passes."""
        with self.connection.cursor() as cursor:
            return catalog.get_moving(cursor, relations)

    def get_announced(self, relations: Collection[str]) -> frozenset[str]:
        """Return those of the relations whose changes are notified."""
        with self.connection.cursor() as cursor:
            return catalog.get_announced(cursor, relations)

    def get_readable_relations(self, cursor: Any) -> list[tuple[str, str, str]]:
        """Return the schema, name and kind of each relation that the session may read."""
        return catalog.get_readable_relations(cursor)

    def get_columns(self, cursor: Any, schema: str, name: str) -> list[tuple[str, int]]:
        """Return the name and the oid of the type of each column of a relation."""
        return catalog.get_columns(cursor, schema, name)

    def get_relation_kinds(self, cursor: Any) -> dict[str, str]:
        """Return "table", "materialized view", "view" or "source" by name."""
        return catalog.get_relation_kinds(cursor)

    def get_connected_tables(self, cursor: Any) -> list[str]:
        """Return the names of the tables in place of sources and of tables with a connector."""
        kinds = SourceDefinition, ConnectorTableDefinition
        return [name for kind in kinds for name in catalog.get_names(cursor, kind)]

    def get_sinks(self, cursor: Any) -> set[str]:
        """Return the names of the sinks, which send nothing here."""
        return set(catalog.get_names(cursor, SinkDefinition))

    def get_dependents(self, cursor: Any, table_name: str) -> dict[str, str]:
        """Return the kind of each view that reads a table, by name."""
        readers = catalog.get_readers(cursor, [table_name])
        return {name: kind for name, (depth, kind) in readers.items() if depth == 1}

    def get_definitions(self, cursor: Any) -> dict[str, str]:
        """Return RisingWave's CREATE statement of each object that was created here, by its name."""
        return catalog.get_statements(cursor) | changes.get_definitions(cursor)


def _in_use(definition: Definition, readers: Mapping[str, str]) -> NotSupportedError:
    names = ", ".join(f"{kind} {name}" for name, kind in readers.items())
    return NotSupportedError(
        f"{definition.kind.capitalize()} {definition.name!r} can't be dropped, because other objects use it: "
        f"{names}. Drop them before it."
    )


def _as_view(definition: Definition) -> ViewDefinition | LeadingRowsDefinition | TotalsDefinition:
    match definition:
        case MaterializedViewDefinition():
            return catalog.as_view(definition)
        case ViewDefinition() | LeadingRowsDefinition() | TotalsDefinition():
            return definition
    raise _unsupported(definition)


def _unsupported(definition: Definition) -> NotSupportedError:
    return NotSupportedError(
        f"The stand-in doesn't support {definition.kind} {definition.name!r}. Use a RisingWave server."
    )

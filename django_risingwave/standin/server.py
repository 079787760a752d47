from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import NotSupportedError

from django_risingwave.standin import changes, connectors
from django_risingwave.standin.leading import LeadingRows, Totals
from django_risingwave.standin.mirrors import Mirrors
from django_risingwave.standin.summaries import CHANNEL, Summary
from django_risingwave.streaming.connectors import ConnectorDefinition
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

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.schema import DatabaseSchemaEditor
    from django_risingwave.streaming.definitions import Definition

# A materialized view's summary has the view's name, in the schema `standin`.
_RELATION_KINDS = """
    SELECT c.relname, CASE
        WHEN c.relkind = 'm' OR EXISTS (
            SELECT FROM pg_catalog.pg_class AS summary
            JOIN pg_catalog.pg_namespace AS n ON n.oid = summary.relnamespace
            WHERE n.nspname = 'standin' AND summary.relname = c.relname
        ) THEN 'materialized view'
        WHEN c.relkind = 'v' THEN 'view'
        ELSE 'table'
    END
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND pg_catalog.pg_table_is_visible(c.oid)
"""
# A summary is found by its triggers on the table, any other view by its rewrite rule. The views in the schema
# `standin` are parts of summaries.
_DEPENDENTS = """
    SELECT proname, 'materialized view'
    FROM pg_catalog.pg_trigger JOIN pg_catalog.pg_proc ON pg_proc.oid = tgfoid
    WHERE tgrelid = to_regclass(%s) AND pronamespace = to_regnamespace('standin')
        AND proname NOT IN ('lock_writers', 'refuse_write')
    UNION
    SELECT relname, CASE relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END
    FROM pg_catalog.pg_depend
    JOIN pg_catalog.pg_rewrite ON pg_rewrite.oid = objid
    JOIN pg_catalog.pg_class ON pg_class.oid = ev_class
    WHERE classid = to_regclass('pg_rewrite') AND refobjid = to_regclass(%s)
        AND relnamespace IS DISTINCT FROM to_regnamespace('standin')
    ORDER BY 2, 1
"""


class StandIn:
    """What PostgreSQL must do in RisingWave's place: DatabaseWrapper.standin."""

    def __init__(self, connection: DatabaseWrapper) -> None:
        self.connection = connection

    def create(self, definition: Definition, editor: DatabaseSchemaEditor) -> None:
        """Create what takes the place of the defined object.

        Raises NotSupportedError, naming the limit, if the stand-in can't create it.
        """
        match definition:
            case MaterializedViewDefinition():
                summary = Summary(definition, self._schema())
                if not editor.collect_sql:
                    with self.connection.cursor() as cursor:
                        summary.check(cursor)
                editor.execute(summary.create_sql(), None)
            case LeadingRowsDefinition() | TotalsDefinition():
                over_summary = self._over_summary(definition)
                with self.connection.cursor() as cursor:
                    measure = over_summary.measure_sql(cursor)
                editor.execute(over_summary.create_sql(measure), None)
            case SubscriptionDefinition():
                editor.execute(changes.create_sql(definition, self._schema()), None)
            case MirrorDefinition():
                self._mirrors().create(definition, editor)
            case ConnectorDefinition():
                editor.execute(connectors.create_table_sql(definition), None)
            case SinkDefinition() | SecretDefinition():
                connectors.check(definition)
            case _:
                raise _unsupported(definition)

    def drop(self, definition: Definition, editor: DatabaseSchemaEditor) -> None:
        """Drop what create() created."""
        match definition:
            case MaterializedViewDefinition():
                editor.execute(Summary(definition, self._schema()).drop_sql(), None)
            case LeadingRowsDefinition() | TotalsDefinition():
                editor.execute(self._over_summary(definition).drop_sql(), None)
            case SubscriptionDefinition():
                editor.execute(changes.drop_sql(definition), None)
            case MirrorDefinition():
                self._mirrors().drop(definition, editor)
            case ConnectorDefinition():
                editor.execute(connectors.drop_table_sql(definition), None)
            case SinkDefinition() | SecretDefinition():
                pass
            case _:
                raise _unsupported(definition)

    def _over_summary(self, definition: LeadingRowsDefinition | TotalsDefinition) -> LeadingRows | Totals:
        if isinstance(definition, LeadingRowsDefinition):
            return LeadingRows(definition, self._schema())
        return Totals(definition, self._schema())

    def _mirrors(self) -> Mirrors:
        return Mirrors(self.connection, self._schema())

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

    def listen(self) -> Notifications:
        """Listen for the names of materialized views whose rows change. Raises django.db.Error."""
        return Notifications(self.connection, CHANNEL)

    def open_log(self, subscription: str) -> changes.LogCursor:
        """Return a cursor over the changes of a subscription, which isn't declared yet."""
        return changes.LogCursor(self.connection, subscription)

    def get_subscription_sources(self, cursor: Any) -> dict[str, str]:
        """Return the relation of each subscription, by the subscription's name."""
        return changes.get_subscription_sources(cursor)

    def get_relation_kinds(self, cursor: Any) -> dict[str, str]:
        """Return "table", "materialized view" or "view" by name."""
        cursor.execute(_RELATION_KINDS, [])
        return dict(cursor.fetchall())

    def get_dependents(self, cursor: Any, table_name: str) -> dict[str, str]:
        """Return the kind of each view that reads a table, by name."""
        table = self.connection.ops.quote_name(table_name)
        cursor.execute(_DEPENDENTS, [table, table])
        return dict(cursor.fetchall())


def _unsupported(definition: Definition) -> NotSupportedError:
    return NotSupportedError(
        f"The stand-in doesn't support {definition.kind} {definition.name!r}. Use a RisingWave server."
    )

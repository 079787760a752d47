"""Makes the leading rows of a declared ranking, its totals and its subscription, and drops them, if asked."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from django_risingwave.readable import may_create_in_current_schema
from django_risingwave.streaming.migration_operations import existing_objects
from live.migration_operations import CreateLeadingRows

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.streaming.definitions import Definition
    from live.rankings import RelationRanking

logger = logging.getLogger(__name__)


def definitions(ranking: RelationRanking) -> tuple[Definition, ...]:
    """Return what would be made, in this order."""
    return CreateLeadingRows(
        ranking.kept_id,
        view=ranking.relation.name,
        key=ranking.key,
        measure=ranking.measure,
        summed=ranking.summed,
        ascending=ranking.ascending,
    ).definitions


def statements(connection: DatabaseWrapper, ranking: RelationRanking) -> list[str]:
    """Return the SQL that would be sent to RisingWave."""
    return [definition.create_sql(connection.ops.quote_name) for definition in definitions(ranking)]


def obstacle(connection: DatabaseWrapper, ranking: RelationRanking) -> str:
    """Return why the leading rows can't be made, for the user; "" if they can. Raises django.db.Error.

    They are made in the session's own schema, of relations there.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()", [])
        ((schema,),) = cursor.fetchall()
    if ranking.relation.schema != schema:
        return gettext("They can only be made of views and tables in the schema “%(schema)s”.") % {
            "schema": schema
        }
    # Django's quote_name() takes a name in quotation marks for SQL; RisingWave has no such names.
    if any('"' in name for name in (ranking.relation.name, ranking.key, ranking.measure)):
        return gettext("A name has a quotation mark in it.")
    if not may_create_in_current_schema(connection):
        return gettext(
            "This site’s user of the database may not create views in the schema “%(schema)s”."
        ) % {"schema": schema}
    return ""


def is_kept(connection: DatabaseWrapper, ranking: RelationRanking) -> bool:
    """Return whether the leading rows, the subscription and the totals exist. Raises django.db.Error."""
    existing = existing_objects(connection)
    return all(definition.name in existing for definition in definitions(ranking))


def may_drop(connection: DatabaseWrapper, ranking: RelationRanking) -> bool:
    """Return whether any of them exist, and the site's user may drop them. Raises django.db.Error."""
    existing = existing_objects(connection)
    return any(definition.name in existing for definition in definitions(ranking)) and not obstacle(
        connection, ranking
    )


def keep(connection: DatabaseWrapper, ranking: RelationRanking) -> None:
    """Make what doesn't exist yet. On RisingWave it returns when they are built. Raises django.db.Error."""
    with connection.schema_editor() as editor:
        existing = existing_objects(connection)
        for definition in definitions(ranking):
            if definition.name in existing:
                editor.await_streaming_object(definition)
            else:
                editor.create_streaming_object(definition)
    logger.info("ranking %s: its leading rows and totals are kept now, as a user asked", ranking.id)


def drop(connection: DatabaseWrapper, ranking: RelationRanking) -> None:
    """Drop what exists of them. Raises django.db.Error."""
    with connection.schema_editor() as editor:
        existing = existing_objects(connection)
        for definition in reversed(definitions(ranking)):
            if definition.name in existing:
                editor.delete_streaming_object(definition)
    logger.info("ranking %s: its leading rows and totals are dropped, as a user asked", ranking.id)

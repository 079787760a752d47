"""Makes the leading rows of a declared ranking, its totals and its subscription, and drops them, if asked."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

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
    ).definitions


def statements(connection: DatabaseWrapper, ranking: RelationRanking) -> list[str]:
    """Return the SQL that would be sent to RisingWave."""
    return [definition.create_sql(connection.ops.quote_name) for definition in definitions(ranking)]


def may_keep(connection: DatabaseWrapper, ranking: RelationRanking) -> bool:
    """Return whether the leading rows can be made, and this site's user of the database may make them.

    The leading rows are the largest. They are made in the session's own schema, of relations there. Raises
    django.db.Error.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()", [])
        ((schema,),) = cursor.fetchall()
    # Django's quote_name() takes a name in quotation marks for SQL; RisingWave has no such names.
    names = (ranking.relation.name, ranking.key, ranking.measure)
    can = (
        not ranking.ascending and ranking.relation.schema == schema and not any('"' in name for name in names)
    )
    return can and may_create_in_current_schema(connection)


def is_kept(connection: DatabaseWrapper, ranking: RelationRanking) -> bool:
    """Return whether the leading rows, the subscription and the totals exist. Raises django.db.Error."""
    existing = existing_objects(connection)
    return all(definition.name in existing for definition in definitions(ranking))


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

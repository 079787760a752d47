"""What `manage.py check` says about the leading rows of the rankings, in migrations and in the database."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.db import DatabaseError, connections, router
from django.db.migrations.loader import MigrationLoader

from live.conf import live_settings
from live.leading import advised_index, leading_name
from live.migration_operations import CreateLeadingRows, DropLeadingRows
from live.models import Record
from live.rankings import variants

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django_risingwave.base import DatabaseWrapper
    from live.rankings import Ranking


def check_leading_rows(**_: Any) -> list[CheckMessage]:
    """Check that the leading rows that migrations create are those of the registered rankings."""
    operations = _operations()
    return [
        Error(
            f"CreateLeadingRows({ranking.id!r}, ...) in a migration differs from the ranking: {difference}.",
            hint="Add two migrations: one with DropLeadingRows and the old arguments, and one with "
            "CreateLeadingRows and the new ones.",
            id="live.E005",
        )
        for ranking in variants()
        if ranking.id in operations
        for difference in _differences(operations[ranking.id], ranking)
    ]


def _operations() -> dict[str, CreateLeadingRows]:
    """Return the operations of all migrations by slug, without those that are dropped again."""
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    found = {}
    for migration in loader.disk_migrations.values():
        for operation in migration.operations:
            if isinstance(operation, CreateLeadingRows):
                found[operation.slug] = operation
            elif isinstance(operation, DropLeadingRows):
                found.pop(operation.slug, None)
    return found


def _differences(operation: CreateLeadingRows, ranking: Ranking) -> Iterator[str]:
    meta, leading = ranking.model._meta, operation.leading
    key, measure = (cast("Any", meta.get_field(name)).column for name in (ranking.key, ranking.measure))
    for name, created, declared in (
        ("view", leading.source, meta.db_table),
        ("key", leading.key, key),
        ("measure", leading.measure, measure),
        ("summed", operation.totals.measure is not None, ranking.summed),
    ):
        if created != declared:
            yield f"{name} is {created!r} there and {declared!r} in the ranking"
    if leading.rows < ranking.size:
        yield f"rows is {leading.rows}, and the ranking shows {ranking.size}"


def check_reads(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check that no ranking is read by a scan of its view, with `manage.py check --database`.

    Views that don't exist yet are left out, and rankings whose leading rows a migration will create. Nothing
    is said of a server that can't be asked: django_risingwave.E020 does.
    """
    messages: list[CheckMessage] = []
    for alias in databases or ():
        if connections[alias].vendor == "risingwave":
            with suppress(DatabaseError):
                messages += _check_alias(alias)
    return messages


def check_history(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check that the table of the history exists, with `manage.py check --database`."""
    alias, table = router.db_for_write(Record), Record._meta.db_table
    if not live_settings.HISTORY or alias not in (databases or ()):
        return []
    try:
        if table in connections[alias].introspection.table_names():
            return []
    except DatabaseError as error:
        return [
            Error(
                f"DATABASES[{alias!r}] can't be read ({str(error).splitlines()[0]}).",
                hint="Check that the server runs, and the user's rights.",
                id="live.E007",
            )
        ]
    return [
        CheckWarning(
            f"No history of the rankings is kept: the table {table} doesn't exist.",
            hint=f"Run: manage.py migrate --database {alias}. Or set LIVE_HISTORY = False.",
            id="live.W004",
        )
    ]


def _check_alias(alias: str) -> Iterator[CheckMessage]:
    connection = cast("DatabaseWrapper", connections[alias])
    with connection.cursor() as cursor:
        relations = connection.introspection.get_relation_kinds(cursor)
    operations = _operations()
    for ranking in variants():
        name, view = ranking.id, ranking.model._meta.db_table
        if (
            router.db_for_read(ranking.model) == alias
            and view in relations
            and leading_name(name) not in relations
            and name not in operations
            and not _has_index(ranking, connection)
        ):
            keys = ranking.model._default_manager.using(alias).count()
            yield CheckWarning(
                f"Each read of ranking {name} scans all {keys:,} rows of {view}, because "
                f"{leading_name(name)} doesn't exist.",
                hint=_hint(ranking, connection),
                id="live.W003",
            )


def _has_index(ranking: Ranking, connection: DatabaseWrapper) -> bool:
    """Return whether RisingWave has an index on the view that begins with the measure."""
    if not connection.is_risingwave:
        return False
    measure = cast("Any", ranking.model._meta.get_field(ranking.measure)).column
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, ranking.model._meta.db_table)
    return any(facts["index"] and facts["columns"][:1] == [measure] for facts in constraints.values())


def _hint(ranking: Ranking, connection: DatabaseWrapper) -> str:
    hint = f"Add CreateLeadingRows({ranking.id!r}, ...) of live.migration_operations to a migration."
    if connection.is_risingwave:
        index = advised_index(ranking, connection.ops.quote_name)
        hint += f" Or, without the right to create views, create an index: {index}"
    return hint

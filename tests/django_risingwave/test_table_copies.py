"""A change that copies the table is refused before it begins, or leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, NotSupportedError, ProgrammingError, models
from django.db.migrations import operations

from django_risingwave.streaming import migration_operations
from django_risingwave.streaming.aggregates import Count
from tests.django_risingwave.table import LABEL, THING, Table, rows

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise

TO_TEXT = operations.AlterField("Thing", "amount", models.TextField(null=True))


def names(connection: DatabaseWrapper) -> set[str]:
    return set(connection.introspection.table_names(include_views=True))


def test_a_table_under_views_is_not_copied(thing: Table) -> None:
    connection = thing.connection
    with connection.cursor() as cursor:
        cursor.execute("CREATE VIEW names AS SELECT name FROM django_risingwave_thing")
        cursor.execute("CREATE MATERIALIZED VIEW amounts AS SELECT amount FROM django_risingwave_thing")
    before = names(connection)
    with pytest.raises(NotSupportedError) as caught:
        thing.apply(TO_TEXT)
    assert str(caught.value) == (
        'This change replaces table "django_risingwave_thing" by a copy, but other objects use it: '
        'materialized view "amounts", view "names". Drop them before the change, and create them again '
        "afterwards."
    )
    assert names(connection) == before
    assert rows(thing, "name", "amount") == [("a", 1), ("b", None)]
    with connection.cursor() as cursor:
        cursor.execute("DROP VIEW names")
        cursor.execute("DROP MATERIALIZED VIEW amounts")
    thing.apply(TO_TEXT)
    assert rows(thing, "name", "amount") == [("a", "1"), ("b", None)]


def test_nothing_is_sent_before_the_refusal(standin: DatabaseWrapper, disguise: Disguise) -> None:
    thing = Table(standin, THING)
    with standin.cursor() as cursor:
        cursor.execute("CREATE VIEW names AS SELECT name FROM django_risingwave_thing")
    disguise.statements.clear()
    with pytest.raises(NotSupportedError, match='view "names"'):
        thing.apply(TO_TEXT)
    assert {sql.split()[0] for sql in disguise.statements} == {"SELECT"}


def test_a_materialized_view_of_a_migration_is_named(standin: DatabaseWrapper) -> None:
    thing = Table(standin, THING)
    undo = thing.apply(
        migration_operations.CreateMaterializedView(
            "thing_count",
            source="django_risingwave_thing",
            group_by=["name"],
            measures={"count": Count()},
        )
    )
    with pytest.raises(NotSupportedError, match='use it: materialized view "thing_count"'):
        thing.apply(operations.RenameField("Thing", "name", "title"))
    undo()
    thing.apply(operations.RenameField("Thing", "name", "title"))
    assert "title" in thing.columns()


def test_a_failed_copy_is_dropped(thing: Table) -> None:
    before = names(thing.connection)
    with pytest.raises(DatabaseError, match="integer"):
        thing.apply(operations.AlterField("Thing", "name", models.IntegerField()))
    assert names(thing.connection) == before
    assert rows(thing, "name") == [("a",), ("b",)]


def test_rows_of_an_interrupted_copy_are_kept(thing: Table) -> None:
    with thing.connection.cursor() as cursor:
        cursor.execute('ALTER TABLE django_risingwave_thing RENAME TO "new__django_risingwave_thing"')
    with pytest.raises(ProgrammingError, match="django_risingwave_thing"):
        thing.apply(TO_TEXT)
    with thing.connection.cursor() as cursor:
        cursor.execute('SELECT count(*) FROM "new__django_risingwave_thing"')
        assert cursor.fetchone() == (2,)


def test_the_plan_of_a_copy_is_shown_without_a_look_at_the_server(standin: DatabaseWrapper) -> None:
    thing = Table(standin, THING)
    state = thing.state.clone()
    TO_TEXT.state_forwards(LABEL, state)
    with standin.cursor() as cursor:
        cursor.execute("CREATE VIEW names AS SELECT name FROM django_risingwave_thing")
    with standin.schema_editor(collect_sql=True) as editor:
        TO_TEXT.database_forwards(LABEL, editor, thing.state, state)
    assert any("new__django_risingwave_thing" in sql for sql in editor.collected_sql)

"""What the stand-in can't create is refused by name, with the limit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, NotSupportedError

from django_risingwave.streaming.definitions import Definition
from django_risingwave.streaming.migration_operations import CreateTable
from django_risingwave.streaming.views import ViewDefinition
from tests.django_risingwave.standin.sales import objects
from tests.django_risingwave.streaming.migrating import kind_total, migrate

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper


@pytest.mark.parametrize(("name", "length"), [("v" * 64, 64), ("ü" * 32, 64)])
def test_a_name_that_postgresql_would_cut_is_refused(
    standin: DatabaseWrapper, name: str, length: int
) -> None:
    migrate(standin, CreateTable("Event"))
    with pytest.raises(NotSupportedError) as error:
        migrate(standin, kind_total(name=name))
    assert str(error.value) == (
        f"The name of materialized view {name!r} has {length} bytes, but the stand-in allows at most 63. "
        "Choose a shorter name, or use a RisingWave server."
    )
    assert standin.introspection.table_names(include_views=True) == ["events"]


@pytest.mark.parametrize("length", [54, 55, 63])
def test_a_name_that_it_allows_is_created_and_dropped(standin: DatabaseWrapper, length: int) -> None:
    name = "v" * length
    migrate(standin, CreateTable("Event"), kind_total(name=name))
    assert standin.introspection.table_names(include_views=True) == ["events", name]
    migrate(standin, kind_total(name=name), backwards=True)
    assert standin.introspection.table_names(include_views=True) == ["events"]


UNTRANSLATED = {
    "SELECT kind FROM events EMIT ON WINDOW CLOSE": "EMIT ON WINDOW CLOSE",
    "SELECT a.kind FROM events AS a ASOF JOIN events AS b ON a.kind = b.kind AND a.id <= b.id": "ASOF JOIN",
    "SELECT kind, proctime() AS at FROM events": r"proctime\(\)",
    "SELECT a.kind FROM events AS a JOIN b FOR SYSTEM_TIME AS OF PROCTIME() ON true": "FOR SYSTEM_TIME AS OF",
    "SELECT _row_id FROM counts": 'column "_row_id" does not exist',
    "SELECT window_start FROM TUMBLE(events, at, INTERVAL '1 month')": "TUMBLE are months or years",
    "SELECT * FROM hop(events, at, INTERVAL '1 day', INTERVAL '2' YEAR)": "HOP are months or years",
    "SELECT kind, approx_count_distinct(id) AS n FROM events GROUP BY kind": "approx_count_distinct",
    "SELECT kind, first_value(id ORDER BY id) AS n FROM events GROUP BY kind": "first_value",
}


@pytest.mark.parametrize("query", UNTRANSLATED)
def test_what_postgresql_can_not_say_is_refused_with_the_clause_and_the_remedy(
    standin: DatabaseWrapper, query: str
) -> None:
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE events (id int PRIMARY KEY, kind varchar, at timestamptz)")
        cursor.execute("CREATE TABLE counts (kind varchar)")
        before = objects(cursor)
        with standin.schema_editor() as editor, pytest.raises(NotSupportedError) as error:
            editor.create_streaming_object(ViewDefinition("kinds", query))
        assert re.search(UNTRANSLATED[query], str(error.value))
        assert "can't compute view 'kinds'" in str(error.value)
        assert 'standin = "SELECT …"' in str(error.value)
        assert objects(cursor) == before
        with standin.schema_editor() as editor:
            editor.create_streaming_object(ViewDefinition("kinds", query, "SELECT DISTINCT kind FROM events"))
        cursor.execute("INSERT INTO events VALUES (1, 'a'), (2, 'a')")
        cursor.execute("SELECT * FROM kinds")
        assert cursor.fetchall() == [("a",)]


@pytest.mark.parametrize("query", ["SELECT kind FROM missing", "SELECT missing FROM counts"])
def test_a_mistake_in_the_names_is_told_as_postgresql_tells_it(standin: DatabaseWrapper, query: str) -> None:
    with standin.cursor() as cursor, standin.schema_editor() as editor:
        cursor.execute("CREATE TABLE counts (kind varchar)")
        with pytest.raises(DatabaseError) as error:
            editor.create_streaming_object(ViewDefinition("kinds", query))
        assert not isinstance(error.value, NotSupportedError)


@pytest.mark.parametrize("relation", ["kept", "elsewhere"])
def test_a_view_of_what_has_no_triggers_is_refused(standin: DatabaseWrapper, relation: str) -> None:
    with standin.cursor() as cursor, standin.schema_editor() as editor:
        cursor.execute("CREATE TABLE counts (kind varchar)")
        cursor.execute("CREATE MATERIALIZED VIEW kept AS SELECT * FROM counts")
        cursor.execute(
            "CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER other FOREIGN DATA WRAPPER nothing"
        )
        cursor.execute("CREATE FOREIGN TABLE elsewhere (kind varchar) SERVER other")
        try:
            before = objects(cursor)
            with pytest.raises(
                NotSupportedError, match=rf"can't notice changes of public.{relation}.* kinds"
            ):
                editor.create_streaming_object(ViewDefinition("kinds", f"SELECT kind FROM {relation}"))
            assert objects(cursor) == before
        finally:
            cursor.execute("DROP FOREIGN DATA WRAPPER nothing CASCADE")


@dataclass(frozen=True)
class Sink(Definition):
    kind = "SINK"

    def create_sql(self, quote_name: Callable[[str], str]) -> str:
        return f"CREATE SINK {quote_name(self.name)}"


@pytest.mark.parametrize("method", ["create_streaming_object", "delete_streaming_object"])
def test_a_kind_of_object_that_it_does_not_know_is_refused(standin: DatabaseWrapper, method: str) -> None:
    with standin.schema_editor() as editor, pytest.raises(NotSupportedError) as error:
        getattr(editor, method)(Sink("totals"))
    assert str(error.value) == ("The stand-in doesn't support SINK 'totals'. Use a RisingWave server.")

"""Rankings of relations without a Django model: any name in the catalog, any type of key."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import ProgrammingError

from django_risingwave.models import MaterializedView
from django_risingwave.readable import Relation, identifier
from live.faults import UnshowableError, reason_for
from live.feeding.sources import Source, find_sources
from live.migration_operations import CreateLeadingRows
from live.rankings import RelationRanking
from live.snapshots import Totals

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

#: Names that somebody with the right to create tables may have given them.
HOSTILE = ("a b%s", "é'; DROP TABLE y; --", "x\\", "%(x)s", "select", "Upper")


def ranking(**changes: Any) -> RelationRanking:
    values: dict[str, Any] = {
        "slug": "sales",
        "title": "products by sales",
        "model": MaterializedView,
        "key": "product",
        "measure": "amount",
        "relation": Relation("public", "sales"),
    }
    return RelationRanking(**values | changes)


def source(**changes: Any) -> Source:
    (found,) = find_sources("risingwave", [ranking(**changes)]).values()
    return found


@pytest.fixture
def sales(each_server: DatabaseWrapper) -> DatabaseWrapper:
    with each_server.cursor() as cursor:
        cursor.execute("CREATE TABLE sales (product varchar, amount numeric)")
        cursor.execute(
            "INSERT INTO sales VALUES ('b', 2.5), ('a', 2.5), ('c', -1), (NULL, 7), ('d', NULL), ('e', 0.25)"
        )
    each_server.flush()
    return each_server


def test_rows_and_totals_of_a_table_are_read_largest_first_and_null_last(sales: DatabaseWrapper) -> None:
    found = source()
    assert found.rows() == ((None, 7), ("a", 2.5), ("b", 2.5), ("e", 0.25), ("c", -1), ("d", None))
    assert found.totals() == Totals(keys=6, sum=11.25)
    assert source(summed=False).totals() is None  # Not read yet.


def test_the_smallest_come_first_if_asked_and_null_last_all_the_same(sales: DatabaseWrapper) -> None:
    assert [key for key, _ in source(ascending=True).rows()] == ["c", "e", "a", "b", None, "d"]


def test_all_rows_and_the_place_of_any_are_found(sales: DatabaseWrapper) -> None:
    found: Any = source()
    assert list(found.every(3)) == [(None, 7), ("a", Decimal("2.5")), ("b", Decimal("2.5"))]
    assert found.place_of("b") == (2, 2.5)
    assert found.place_of(None) == (1, 7)
    assert found.place_of("d") == (6, None)
    assert found.place_of("z") is None
    assert found.place_of("' OR true --") is None
    numbers: Any = source(key="amount", measure="amount")
    assert numbers.place_of("7") == (1, 7)
    # Equal to the server, and not the key as JSON has it.
    assert numbers.place_of("7.0") is numbers.place_of(7) is None
    found = source(ascending=True)
    assert found.place_of("e") == (2, 0.25)


def test_a_relation_in_another_schema_is_read_and_never_taken_for_one_that_announces_changes(
    standin: DatabaseWrapper,
) -> None:
    with standin.temporary_connection(), standin.connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA shop")
        cursor.execute("CREATE TABLE shop.sales (product varchar, amount int)")
        cursor.execute("INSERT INTO shop.sales VALUES ('a', 1)")
    found = source(relation=Relation("shop", "sales"))
    assert found.rows() == (("a", 1),)
    assert found.relation == "shop.sales"


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_would_be_sql_are_names(standin: DatabaseWrapper, name: str) -> None:
    standin.ensure_connection()
    quoted = identifier(standin, name)
    with standin.connection.cursor() as cursor:
        cursor.execute("CREATE TABLE y (a int)")
        cursor.execute(f"CREATE TABLE {quoted} ({quoted} varchar, amount int)")
        cursor.execute(f"INSERT INTO {quoted} VALUES ('k', 3)")
    found: Any = source(relation=Relation("public", name), key=name)
    assert found.rows() == (("k", 3),)
    assert found.totals() == Totals(1, 3)
    assert found.place_of("k") == (1, 3)
    assert list(found.every(10)) == [("k", 3)]


def test_a_name_with_quotation_marks_is_no_sql(standin: DatabaseWrapper, watch: Any) -> None:
    name = '"x" ; DROP TABLE y; --"'
    standin.ensure_connection()
    with standin.connection.cursor() as cursor:
        cursor.execute("CREATE TABLE y (a int)")
        with pytest.raises(ProgrammingError):
            source(relation=Relation("public", name)).rows()
        cursor.execute(f"CREATE TABLE {identifier(standin, name)} (product varchar, amount int)")
        assert source(relation=Relation("public", name)).rows() == ()
        cursor.execute("SELECT * FROM y")
    # RisingWave has no such names.
    watch.take(__name__)


def test_keys_of_all_printable_types_are_read(standin: DatabaseWrapper) -> None:
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE sales (product timestamptz, amount double precision)")
        cursor.execute("INSERT INTO sales VALUES ('2026-11-26T14:00Z', 'NaN'), ('2026-11-26T15:00Z', 1)")
    (first, second) = source().rows()
    assert first == (datetime.datetime(2026, 11, 26, 15, tzinfo=datetime.UTC), 1)
    assert second[1] is None
    assert source().place_of("no time") is None


@pytest.mark.parametrize("kind", ["numeric", "double precision"])
@pytest.mark.parametrize("ascending", [False, True])
def test_many_values_that_are_not_finite_hide_no_other(each_server: DatabaseWrapper, kind, ascending) -> None:
    bad = [f"('{value} {n}', '{value}')" for n in range(60) for value in ("NaN", "-Infinity")]
    good = [f"('good {n}', {n})" for n in range(5)]
    with each_server.cursor() as cursor:
        cursor.execute(f"CREATE TABLE sales (product varchar, amount {kind})")
        cursor.execute(f"INSERT INTO sales VALUES {', '.join(bad)}")
        cursor.execute(f"INSERT INTO sales VALUES {', '.join(good)}, ('none', NULL)")
    each_server.flush()
    found = source(ascending=ascending).rows()
    assert [key for key, _ in found[:5]] == sorted((f"good {n}" for n in range(5)), reverse=not ascending)
    assert (len(found), {value for _, value in found[5:]}) == (50, {None})


def test_rows_that_share_a_key_are_refused_with_the_key(standin: DatabaseWrapper) -> None:
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE sales (product varchar, amount int)")
        cursor.execute("INSERT INTO sales VALUES ('a', 1), ('a', 2)")
    with pytest.raises(UnshowableError) as caught:
        source().rows()
    assert reason_for(caught.value) == "several of its rows have the key 'a'"


def test_what_is_missing_is_named_in_words(sales: DatabaseWrapper) -> None:
    for changes, reason in (
        ({"relation": Relation("public", "gone")}, "its view doesn't exist"),
        ({"measure": "gone"}, "one of its columns doesn't exist"),
    ):
        with pytest.raises(ProgrammingError) as caught:
            source(**changes).rows()
        assert reason_for(caught.value) == reason


def test_leading_rows_and_totals_are_read_where_they_are_those_of_this_very_ranking(
    standin: DatabaseWrapper,
) -> None:
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE sales (product varchar, amount int, other int)")
        cursor.execute("INSERT INTO sales VALUES ('a', 1, 5), ('b', 2, 4)")
    kept = CreateLeadingRows(ranking().kept_id, view="sales", key="product", measure="amount")
    with standin.schema_editor() as editor:
        for definition in kept.definitions:
            editor.create_streaming_object(definition)
    found = source()
    assert found.relation == kept.leading.name
    assert found.rows() == (("b", 2), ("a", 1))
    assert found.totals() == Totals(2, 3)
    assert source(measure="other").relation == source(ascending=True).relation == "sales"


def test_a_relation_is_read_again_after_five_seconds_or_twenty_times_as_long_as_a_read(
    standin: DatabaseWrapper,
) -> None:
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE sales (product varchar, amount int)")
    found = source()
    assert [found.refresh_seconds(seconds) for seconds in (0.001, 0.25, 3)] == [5, 5, 60]

"""iterator() fetches rows in chunks, with statements that RisingWave supports."""

from __future__ import annotations

import re
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from django.db import DatabaseError, DataError, Error
from django.db.models import IntegerField
from django.db.models.expressions import RawSQL
from django.test.utils import CaptureQueriesContext

from tests.django_risingwave.models import Author, Number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise

ROWS = 1_000_000
MEGABYTE = 2**20
# All rows together take at least 200 MB.
TEXT = "x" * 200


@pytest.fixture
def numbers(connection: DatabaseWrapper) -> DatabaseWrapper:
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE VIEW numbers AS SELECT n AS id, '{TEXT}'::varchar AS text "
            f"FROM generate_series(1::bigint, {ROWS}::bigint) AS series(n)"
        )
    return connection


@pytest.fixture
def authors(connection: DatabaseWrapper) -> list[Author]:
    with connection.schema_editor() as editor:
        editor.create_model(Author)
    authors: list[Author] = Author.objects.bulk_create(Author(name=str(n)) for n in range(10))
    connection.flush()
    return authors


@contextmanager
def recorded_statements(connection: DatabaseWrapper) -> Iterator[list[str]]:
    """Collect the statements that reach the server, with letters for the names of cursors."""
    connection.ensure_connection()
    statements: list[str] = []
    names: dict[str, str] = {}

    def letter(match: re.Match[str]) -> str:
        return names.setdefault(match[0], "abc"[len(names)])

    original = connection.connection.cursor_factory
    cursor = original or type(connection.connection.cursor())

    def execute(self: Any, sql: str, *args: Any) -> Any:
        statements.append(re.sub(r'"_django_curs_\w+"', letter, sql))
        return cursor.execute(self, sql, *args)

    connection.connection.cursor_factory = type("Recorder", (cursor,), {"execute": execute})
    try:
        yield statements
    finally:
        connection.connection.cursor_factory = original


@pytest.fixture
def as_risingwave(disguise: Disguise) -> Iterator[DatabaseWrapper]:
    """PostgreSQL treated as RisingWave, in a transaction, which its cursors need without WITH HOLD."""
    with disguise.connection.cursor() as cursor:
        cursor.execute("BEGIN")
    yield disguise.connection
    with disguise.connection.cursor() as cursor:
        cursor.execute("ROLLBACK")


def open_cursors(connection: DatabaseWrapper) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors")
        count: int = cursor.fetchone()[0]
    return count


AUTHORS = '"django_risingwave_author"'
SELECT = f'SELECT {AUTHORS}."id", {AUTHORS}."name" FROM {AUTHORS}'


def test_iterating_over_a_million_rows_takes_the_memory_of_a_chunk(numbers: DatabaseWrapper) -> None:
    memory = psutil.Process().memory_info
    before = peak = memory().rss
    count = 0
    number: Any
    for number in Number.objects.iterator():
        count += len(number.text) // len(TEXT)
        if count % 10_000 == 0:
            peak = max(peak, memory().rss)
    assert count == ROWS
    assert peak - before < 50 * MEGABYTE


# Statements ----------------------------------------------------------------------------------------------


def test_rows_are_fetched_in_chunks_with_risingwaves_statements(
    authors: list[Author], as_risingwave: DatabaseWrapper
) -> None:
    with recorded_statements(as_risingwave) as statements:
        read = list(Author.objects.iterator(chunk_size=4))
    assert read == authors
    assert statements == [
        f"DECLARE a CURSOR FOR {SELECT}",
        *["FETCH 4 FROM a"] * 4,
        "CLOSE a",
    ]


def test_the_stand_ins_cursor_works_without_a_transaction(
    authors: list[Author], standin: DatabaseWrapper
) -> None:
    with recorded_statements(standin) as statements:
        read = list(Author.objects.iterator(chunk_size=100))
    assert read == authors
    assert statements == [
        f"DECLARE a CURSOR WITH HOLD FOR {SELECT}",
        "FETCH 100 FROM a",
        "FETCH 100 FROM a",
        "CLOSE a",
    ]


def test_an_abandoned_iterator_closes_its_cursor(
    authors: list[Author], as_risingwave: DatabaseWrapper
) -> None:
    with recorded_statements(as_risingwave) as statements:
        iterator = Author.objects.iterator(chunk_size=2)
        assert next(iterator) == authors[0]
        del iterator
    assert statements == [f"DECLARE a CURSOR FOR {SELECT}", "FETCH 2 FROM a", "CLOSE a"]


def test_the_query_of_a_cursor_is_logged(authors: list[Author], connection: DatabaseWrapper) -> None:
    with CaptureQueriesContext(connection) as queries:
        list(Author.objects.filter(name="3").iterator())
    (query,) = queries
    assert query["sql"].startswith('DECLARE "_django_curs_')
    assert query["sql"].endswith(""""name" = '3'""")


def test_disable_server_side_cursors_is_respected(
    authors: list[Author], connection: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
    with recorded_statements(connection) as statements:
        assert list(Author.objects.iterator()) == authors
    assert statements == [SELECT]


# Several cursors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", ["standin", "as_risingwave"])
def test_iterators_can_be_nested(authors: list[Author], request: Any, server: str) -> None:
    connection: DatabaseWrapper = request.getfixturevalue(server)
    pairs = [
        (outer, inner)
        for outer in Author.objects.iterator(chunk_size=3)
        for inner in Author.objects.filter(pk__gt=outer.pk).iterator(chunk_size=2)
    ]
    assert pairs == [(a, b) for a in authors for b in authors if b.pk > a.pk]
    assert open_cursors(connection) == 0


@pytest.mark.parametrize("server", ["standin", "as_risingwave"])
def test_iterators_can_alternate_and_end_in_any_order(
    authors: list[Author], request: Any, server: str
) -> None:
    connection: DatabaseWrapper = request.getfixturevalue(server)
    first = Author.objects.iterator(chunk_size=2)
    second = Author.objects.order_by("-pk").iterator(chunk_size=3)
    assert list(islice(first, 5)) == authors[:5]
    assert list(second) == authors[::-1]
    assert open_cursors(connection) == 1
    assert list(first) == authors[5:]
    assert open_cursors(connection) == 0


def test_statements_in_between_take_effect(authors: list[Author], standin: DatabaseWrapper) -> None:
    seen = []
    for author in Author.objects.iterator(chunk_size=2):
        seen.append(author)
        with standin.cursor() as cursor, pytest.raises(DatabaseError):
            cursor.execute("SELECT 1 / 0")
        Author.objects.create(name=f"new {author.name}")
        Author.objects.filter(pk=author.pk).update(name="old")
    assert seen == authors
    names = Author.objects.order_by("pk").values_list("name", flat=True)
    assert list(names) == ["old"] * 10 + [f"new {n}" for n in range(10)]


# Errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", ["standin", "as_risingwave"])
def test_an_error_while_fetching_is_raised_and_closes_the_cursor(
    authors: list[Author], request: Any, server: str
) -> None:
    connection: DatabaseWrapper = request.getfixturevalue(server)
    sixth = authors[5].pk
    failing = Author.objects.annotate(v=RawSQL("1 / (id - %s)", [sixth], output_field=IntegerField()))
    seen: list[Author] = []
    with pytest.raises(DataError, match="division by zero"):
        seen.extend(failing.iterator(chunk_size=1))
    # WITH HOLD, PostgreSQL computes all rows at once.
    assert seen == ([] if server == "standin" else authors[:5])
    if server == "standin":
        assert open_cursors(connection) == 0
        assert list(Author.objects.iterator()) == authors


def test_a_rejected_query_leaves_no_cursor(standin: DatabaseWrapper) -> None:
    with recorded_statements(standin) as statements, pytest.raises(DatabaseError, match="does not exist"):
        list(Author.objects.iterator())
    assert len(statements) == 1
    assert open_cursors(standin) == 0


def test_closing_the_connection_ends_the_iteration_with_an_error(
    authors: list[Author], standin: DatabaseWrapper
) -> None:
    iterator = Author.objects.iterator(chunk_size=1)
    next(iterator)
    standin.close()
    with pytest.raises(Error, match="closed"):
        next(iterator)
    abandoned = Author.objects.iterator(chunk_size=1)
    next(abandoned)
    standin.close()
    del abandoned
    assert list(Author.objects.iterator()) == authors


# As a DB-API cursor --------------------------------------------------------------------------------------


def test_a_chunked_cursor_supports_every_way_to_fetch(
    authors: list[Author], connection: DatabaseWrapper
) -> None:
    with connection.chunked_cursor() as cursor:
        cursor.execute("SELECT name FROM django_risingwave_author WHERE name <> %s ORDER BY name", ["9"])
        assert cursor.fetchone() == ("0",)
        assert cursor.fetchmany(2) == [("1",), ("2",)]
        assert list(cursor) == [(str(n),) for n in range(3, 9)]
        assert cursor.fetchone() is None
    with connection.chunked_cursor() as cursor:
        cursor.execute("SELECT name FROM django_risingwave_author ORDER BY name")
        assert len(cursor.fetchall()) == 10

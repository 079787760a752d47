"""A connection knows its server, and begins no transaction."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, NotSupportedError, ProgrammingError, transaction
from django.test.utils import CaptureQueriesContext

from django_risingwave.base import DatabaseWrapper
from django_risingwave.version import ServerVersion
from tests.django_risingwave.models import Author, Book

if TYPE_CHECKING:
    from collections.abc import Callable

RISINGWAVE = ServerVersion(is_risingwave=True, version="3.0.3")


def test_the_stand_in_is_told_from_risingwave(standin: DatabaseWrapper) -> None:
    with standin.cursor() as cursor:
        cursor.execute("SHOW server_version")
        version = cursor.fetchone()[0].split()[0]
    assert standin.is_risingwave is False
    assert standin.server_name == f"PostgreSQL {version} (stand-in)"
    assert standin.vendor == "risingwave"
    assert ".".join(map(str, standin.get_database_version())) == version


def test_the_server_is_asked_once_per_connection_and_not_among_the_queries(
    standin: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    read = DatabaseWrapper._read_server_version

    def count(self: DatabaseWrapper) -> ServerVersion:
        nonlocal asked
        asked += 1
        return read(self)

    monkeypatch.setattr(DatabaseWrapper, "_read_server_version", count)
    standin.close()
    standin.connect()
    queries: list[str] = []

    def record(execute: Any, sql: str, *args: Any) -> Any:
        queries.append(sql)
        return execute(sql, *args)

    with standin.execute_wrapper(record):
        assert standin.server_name == standin.server_name
        assert standin.is_risingwave is False
    assert asked == 1
    assert queries == []
    # Without a connection the last answer holds, and none is made for it.
    standin.close()
    assert standin.is_risingwave is False
    assert standin.connection is None
    assert asked == 1


def test_a_server_that_was_replaced_is_noticed_on_the_next_connection(standin: DatabaseWrapper) -> None:
    standin.ensure_connection()
    standin._server_version = RISINGWAVE
    assert standin.server_name == "RisingWave 3.0.3"
    standin.close()
    standin.connect()
    assert standin.server_name.startswith("PostgreSQL")


def test_a_server_that_is_too_old_is_refused(standin: DatabaseWrapper) -> None:
    standin.ensure_connection()
    standin._server_version = ServerVersion.parse("PostgreSQL 13.14.0-RisingWave-2.0.7 (x)")
    with pytest.raises(NotSupportedError, match=r"needs RisingWave 2\.1 or later"):
        standin.check_database_version_supported()


def test_a_connection_that_failed_on_the_way_is_not_used(
    standin: DatabaseWrapper, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    options["implicit_flush"] = True
    with monkeypatch.context() as patched:
        patched.setattr(DatabaseWrapper, "_read_server_version", lambda self: RISINGWAVE)
        for _ in range(2):
            with pytest.raises(DatabaseError, match="rw_implicit_flush"):
                standin.ensure_connection()
    assert standin.connection is None


def test_sql_is_chosen_by_no_server_version(standin: DatabaseWrapper) -> None:
    assert standin.pg_version == 150_000
    assert standin.features.is_postgresql_16 is False


def test_atomic_begins_no_transaction(standin: DatabaseWrapper, connect: Callable[[], Any]) -> None:
    other = connect()
    other.autocommit = True
    seen = other.cursor()
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE t (v int)")
        with transaction.atomic(using="risingwave"), transaction.atomic(using="risingwave"):
            cursor.execute("INSERT INTO t VALUES (1)")
            assert standin.connection.info.transaction_status == 0  # idle: libpq's PQTRANS_IDLE
            seen.execute("SELECT v FROM t")
            assert seen.fetchall() == [(1,)]


def test_atomic_is_no_query(standin: DatabaseWrapper) -> None:
    with CaptureQueriesContext(standin) as queries, transaction.atomic(using="risingwave"):
        pass
    assert queries.captured_queries == []


def test_nothing_rolls_back(standin: DatabaseWrapper) -> None:
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE t (v int)")
        with suppress(ZeroDivisionError), transaction.atomic(using="risingwave"):
            cursor.execute("INSERT INTO t VALUES (1)")
            raise ZeroDivisionError
        standin.set_autocommit(False)
        cursor.execute("INSERT INTO t VALUES (2)")
        standin.rollback()
        standin.set_autocommit(True)
        cursor.execute("SELECT v FROM t ORDER BY v")
        assert cursor.fetchall() == [(1,), (2,)]


def test_on_commit_runs_when_atomic_ends_well(standin: DatabaseWrapper) -> None:
    ran = []
    with transaction.atomic(using="risingwave"):
        transaction.on_commit(lambda: ran.append("well"), using="risingwave")
        assert ran == []
    with suppress(ZeroDivisionError), transaction.atomic(using="risingwave"):
        transaction.on_commit(lambda: ran.append("badly"), using="risingwave")
        raise ZeroDivisionError
    assert ran == ["well"]


@pytest.fixture
def authors(connection: DatabaseWrapper) -> list[Author]:
    with connection.schema_editor() as editor:
        editor.create_model(Author)
    authors: list[Author] = Author.objects.bulk_create([Author(name="A"), Author(name="B")])
    connection.flush()
    return authors


@pytest.mark.parametrize(
    "options", [{"nowait": True}, {"skip_locked": True}, {"of": ("self",)}, {"no_key": True}]
)
def test_select_for_update_refuses_options_by_name(authors: list[Author], options: dict[str, Any]) -> None:
    locking = Author.objects.select_for_update(**options)
    message = rf"doesn't lock rows: select_for_update\(\) doesn't support {next(iter(options))}\."
    for read in (lambda: list(locking), lambda: locking.get(name="A"), locking.first, locking.exists):
        with pytest.raises(NotSupportedError, match=message), transaction.atomic(using="risingwave"):
            read()
    with pytest.raises(NotSupportedError, match=message):
        list(Author.objects.filter(pk__in=locking.values("pk")))


def test_select_for_update_without_options_has_no_effect(
    authors: list[Author], connection: DatabaseWrapper
) -> None:
    with CaptureQueriesContext(connection) as queries:
        # In autocommit mode too: Django asks for a transaction only where rows are locked.
        assert Author.objects.select_for_update().get(name="A") == authors[0]
        with transaction.atomic(using="risingwave"):
            assert list(Author.objects.select_for_update().order_by("pk")) == authors
    assert len(queries) == 2
    assert not any("FOR UPDATE" in query["sql"] for query in queries)


def test_update_or_create_works_without_a_lock(authors: list[Author], connection: DatabaseWrapper) -> None:
    changed, created = Author.objects.update_or_create(name="A", defaults={"name": "C"})
    assert (changed, created) == (authors[0], False)
    assert Author.objects.update_or_create(name="D")[1]
    made, created = Author.objects.update_or_create(
        name="E", defaults={"name": "X"}, create_defaults={"name": "F"}
    )
    assert (made.name, created) == ("F", True)
    connection.flush()
    assert list(Author.objects.order_by("pk").values_list("name", flat=True)) == ["C", "B", "D", "F"]


def test_update_or_create_works_through_a_related_manager(
    authors: list[Author], connection: DatabaseWrapper
) -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Book)
    author = authors[0]
    book, created = author.books.update_or_create(title="One")
    assert (book.author, created) == (author, True)
    connection.flush()
    assert author.books.update_or_create(title="One", defaults={"title": "Two"}) == (book, False)
    connection.flush()
    reader, created = book.readers.update_or_create(name="C")
    assert created
    connection.flush()
    assert book.readers.update_or_create(name="C", defaults={"name": "D"}) == (reader, False)
    connection.flush()
    assert Book.objects.get().title == "Two"
    assert list(book.readers.values_list("name", flat=True)) == ["D"]


def test_flush_is_for_risingwave_alone(standin: DatabaseWrapper) -> None:
    standin.flush()
    standin._server_version = RISINGWAVE
    # PostgreSQL's answer tells that it was sent.
    with pytest.raises(DatabaseError, match='syntax error at or near "FLUSH"'):
        standin.flush()


@pytest.mark.parametrize("implicit_flush", [True, False])
def test_implicit_flush_is_not_the_drivers_and_nothing_to_the_stand_in(
    standin: DatabaseWrapper, options: dict[str, Any], implicit_flush: bool
) -> None:
    options["implicit_flush"] = implicit_flush
    assert "implicit_flush" not in standin.get_connection_params()
    standin.connect()


def test_implicit_flush_is_set_on_risingwave(
    standin: DatabaseWrapper, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(DatabaseWrapper, "_read_server_version", lambda self: RISINGWAVE)
        options["implicit_flush"] = False
        standin.connect()
        standin.close()
        options["implicit_flush"] = True
        # PostgreSQL's answer tells that it was sent.
        with pytest.raises(DatabaseError, match='unrecognized configuration parameter "rw_implicit_flush"'):
            standin.ensure_connection()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        (
            "implicit_flush",
            "true",
            r"OPTIONS\['implicit_flush'\] of 'risingwave' must be True or False, not 'true'",
        ),
        ("isolation_level", 1, "remove 'isolation_level' from OPTIONS of 'risingwave'"),
        ("assume_role", "root", "remove 'assume_role' from OPTIONS of 'risingwave'"),
        ("server_side_binding", True, "remove 'server_side_binding' from OPTIONS of 'risingwave'"),
    ],
)
def test_options_that_risingwave_has_no_use_for_are_refused(
    standin: DatabaseWrapper, options: dict[str, Any], option: str, value: object, message: str
) -> None:
    options[option] = value
    with pytest.raises(ImproperlyConfigured, match=message):
        standin.connect()


def test_a_test_database_that_is_left_over_is_known(standin: DatabaseWrapper) -> None:
    creation: Any = standin.creation
    name = {"dbname": f'"{standin.settings_dict["NAME"]}"', "suffix": ""}
    with standin._nodb_cursor() as cursor:
        creation._execute_create_test_db(cursor, name, keepdb=True)
        with pytest.raises(ProgrammingError, match="already exists"):
            creation._execute_create_test_db(cursor, name)


def test_databases_are_made_from_whichever_is_always_there(
    standin: DatabaseWrapper, connect: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with standin._nodb_cursor() as cursor:
        cursor.execute("SELECT current_database()")
        assert cursor.fetchone() == ("postgres",)
        # As on RisingWave, which has no "postgres" but a "dev".
        cursor.execute("CREATE DATABASE dev")
    connect_to = DatabaseWrapper.get_new_connection

    def no_postgres(self: DatabaseWrapper, params: dict[str, Any]) -> Any:
        return connect_to(self, params | {"dbname": params["dbname"].replace("postgres", "no-such")})

    try:
        with monkeypatch.context() as patched:
            patched.setattr(DatabaseWrapper, "get_new_connection", no_postgres)
            with standin._nodb_cursor() as cursor:
                cursor.execute("SELECT current_database()")
                assert cursor.fetchone() == ("dev",)
    finally:
        with standin._nodb_cursor() as cursor:
            cursor.execute("DROP DATABASE dev")

"""A connection knows its server, and starts no transactions."""

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


def test_the_stand_in_is_recognized(standin: DatabaseWrapper) -> None:
    with standin.cursor() as cursor:
        cursor.execute("SHOW server_version")
        version = cursor.fetchone()[0].split()[0]
    assert standin.is_risingwave is False
    assert standin.server_name == f"PostgreSQL {version} (stand-in)"
    assert standin.vendor == "risingwave"
    assert ".".join(map(str, standin.get_database_version())) == version


def test_the_version_is_read_once_per_connection_and_not_logged_as_a_query(
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
    # A closed connection keeps the last version, and is not reopened for it.
    standin.close()
    assert standin.is_risingwave is False
    assert standin.connection is None
    assert asked == 1


def test_the_next_connection_reads_the_version_of_a_replaced_server(standin: DatabaseWrapper) -> None:
    standin.ensure_connection()
    standin._server_version = RISINGWAVE
    assert standin.server_name == "RisingWave 3.0.3"
    standin.close()
    standin.connect()
    assert standin.server_name.startswith("PostgreSQL")


def test_a_server_that_is_too_old_is_refused(standin: DatabaseWrapper) -> None:
    standin.ensure_connection()
    standin._server_version = ServerVersion.parse("PostgreSQL 13.14.0-RisingWave-2.0.7 (x)")
    with pytest.raises(NotSupportedError, match=r"RisingWave 2\.1 or later is required"):
        standin.check_database_version_supported()


def test_a_connection_that_can_not_be_set_up_is_discarded(
    standin: DatabaseWrapper, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    options["implicit_flush"] = True
    with monkeypatch.context() as patched:
        patched.setattr(DatabaseWrapper, "_read_server_version", lambda self: RISINGWAVE)
        for _ in range(2):
            with pytest.raises(DatabaseError, match="rw_implicit_flush"):
                standin.ensure_connection()
    assert standin.connection is None


def test_the_sql_does_not_depend_on_the_server_version(standin: DatabaseWrapper) -> None:
    assert standin.pg_version == 150_000
    assert standin.features.is_postgresql_16 is False


def test_atomic_starts_no_transaction(standin: DatabaseWrapper, connect: Callable[[], Any]) -> None:
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


def test_atomic_logs_no_query(standin: DatabaseWrapper) -> None:
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


def test_on_commit_runs_when_atomic_succeeds(standin: DatabaseWrapper) -> None:
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
    author: Any = authors[0]  # the reverse relation is not in the stubs
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


def test_flush_is_sent_to_risingwave_only(standin: DatabaseWrapper) -> None:
    standin.flush()
    standin._server_version = RISINGWAVE
    # PostgreSQL's error shows that it was sent.
    with pytest.raises(DatabaseError, match='syntax error at or near "FLUSH"'):
        standin.flush()


@pytest.mark.parametrize("implicit_flush", [True, False])
def test_implicit_flush_is_not_passed_to_the_driver_nor_set_on_the_stand_in(
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
        # PostgreSQL's error shows that it was sent.
        with pytest.raises(DatabaseError, match='unrecognized configuration parameter "rw_implicit_flush"'):
            standin.ensure_connection()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        (
            "implicit_flush",
            "true",
            r"\['OPTIONS'\]\['implicit_flush'\] must be True or False, not 'true'",
        ),
        ("isolation_level", 1, "doesn't support isolation_level"),
        ("assume_role", "root", "doesn't support assume_role"),
        ("server_side_binding", True, "doesn't support server_side_binding"),
    ],
)
def test_an_invalid_or_unsupported_option_is_refused_by_name(
    standin: DatabaseWrapper, options: dict[str, Any], option: str, value: object, message: str
) -> None:
    options[option] = value
    with pytest.raises(ImproperlyConfigured, match=message):
        standin.connect()


def test_a_leftover_test_database_is_recognized(standin: DatabaseWrapper) -> None:
    creation: Any = standin.creation
    name = {"dbname": f'"{standin.settings_dict["NAME"]}"', "suffix": ""}
    with standin._nodb_cursor() as cursor:
        creation._execute_create_test_db(cursor, name, keepdb=True)
        with pytest.raises(ProgrammingError, match="already exists"):
            creation._execute_create_test_db(cursor, name)


def test_databases_are_created_from_the_servers_default_database(
    standin: DatabaseWrapper, connect: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with standin._nodb_cursor() as cursor:
        cursor.execute("SELECT current_database()")
        assert cursor.fetchone() == ("postgres",)
        # As on RisingWave, whose default database is "dev" instead of "postgres".
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

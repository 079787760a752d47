"""A RisingWave server is recognized, explains queries, keeps timeouts, and its errors are told apart."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, NotSupportedError, OperationalError, ProgrammingError

from tests.django_risingwave.models import Author
from tests.django_risingwave.on_risingwave.conftest import reconnect
from tests.processes import DEADLINE_SECONDS, wait_until

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.watch import Watch

pytestmark = pytest.mark.risingwave


# The server -----------------------------------------------------------------------------------------------


def test_the_server_is_recognized(risingwave: DatabaseWrapper) -> None:
    assert risingwave.server_name.startswith("RisingWave ")
    risingwave.check_database_version_supported()


def test_a_test_database_is_created_and_dropped(
    connection: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    creation: Any = connection.creation
    name = f"{connection.settings_dict['NAME']}_made"
    monkeypatch.setitem(connection.settings_dict["TEST"], "NAME", name)
    for _again in range(2):
        creation._create_test_db(verbosity=0, autoclobber=True)
    with connection._nodb_cursor() as cursor:
        assert creation._database_exists(cursor, f'"{name}"')
    creation._destroy_test_db(name, verbosity=0)
    with connection._nodb_cursor() as cursor:
        assert not creation._database_exists(cursor, f'"{name}"')


@pytest.mark.parametrize("timeout", [5, "500ms"])
def test_a_statement_timeout_is_accepted(
    connection: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch, timeout: object
) -> None:
    reconnect(connection, monkeypatch, statement_timeout=timeout)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


# Explaining, and limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [None, "text", "json", "xml", "yaml", "dot"])
@pytest.mark.parametrize("option", [None, "verbose", "logical", "physical"])
def test_risingwave_explains_queries(
    risingwave: DatabaseWrapper, kind: str | None, option: str | None
) -> None:
    with risingwave.schema_editor() as editor:
        editor.create_model(Author)
    assert Author.objects.all().explain(format=kind, **({option: True} if option else {}))
    assert Author.objects.all().explain(trace=True, distsql=True)


# generate_series() alone can't be cancelled: it never yields in RisingWave 2.8.0.
SLOW = "SELECT count(*) FROM big AS x, big AS y WHERE x.a < y.a"


@pytest.fixture
def slow(risingwave: DatabaseWrapper) -> DatabaseWrapper:
    """A table for which the query SLOW takes minutes."""
    with risingwave.cursor() as cursor:
        cursor.execute("CREATE TABLE big (a int)")
        cursor.execute("INSERT INTO big SELECT * FROM generate_series(1, 200000)")
    risingwave.flush()
    return risingwave


def test_a_query_that_exceeds_the_timeout_is_cancelled(
    slow: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconnect(slow, monkeypatch, statement_timeout=1)
    with slow.cursor() as cursor:
        with pytest.raises(OperationalError, match=r"^Query cancelled: timeout"):
            cursor.execute(SLOW)
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] in ("1s", "1000ms", "1")


def test_a_killed_query_raises_operational_error(slow: DatabaseWrapper) -> None:
    other = slow.copy()
    other.inc_thread_sharing()
    errors: list[Exception] = []

    def run() -> None:
        try:
            with other.cursor() as cursor:
                cursor.execute(SLOW)
        except OperationalError as error:
            errors.append(error)

    def session() -> str | None:
        """Return the id of the session that runs the query."""
        with slow.cursor() as cursor:
            cursor.execute("SHOW PROCESSLIST")
            return next((row[1] for row in cursor.fetchall() if SLOW in (row[6] or "")), None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        wait_until(session)
        with slow.cursor() as cursor:
            cursor.execute(f"KILL '{session()}'")
    finally:
        thread.join(DEADLINE_SECONDS)
        other.close()
    assert len(errors) == 1


# Errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT nothing FROM django_risingwave_author", ProgrammingError),
        ("SELEC 1", ProgrammingError),
        ("SELECT no_such_function(1)", ProgrammingError),
        ("CREATE TABLE django_risingwave_author (id int PRIMARY KEY)", ProgrammingError),
        ("DROP TABLE nowhere", ProgrammingError),
    ],
)
def test_errors_raise_the_matching_exceptions(
    tables: DatabaseWrapper, watch: Watch, sql: str, kind: type[Exception]
) -> None:
    with tables.cursor() as cursor, pytest.raises(kind):
        cursor.execute(sql)
    assert not Author.objects.exists()
    watch.take(__name__)  # some statements are deliberately invalid


def test_a_missing_feature_raises_not_supported_error(risingwave: DatabaseWrapper, watch: Watch) -> None:
    with risingwave.cursor() as cursor, pytest.raises(NotSupportedError):
        cursor.execute("CREATE TABLE t (v numeric(12, 3))")
    assert watch.take(__name__)


def test_null_is_refused_in_a_not_null_column(tables: DatabaseWrapper) -> None:
    if tables.is_risingwave and tables.server_version.numbers < (2, 4):
        pytest.skip("RisingWave enforces NOT NULL since 2.4")
    with pytest.raises(IntegrityError):
        Author.objects.create(name=None)


def test_an_unreachable_server_raises_operational_error(
    connection: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})
    with pytest.raises(OperationalError):
        connection.ensure_connection()

from __future__ import annotations

import os
import re
from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import pytest
from django.db import connections

from django_risingwave.testing.double.catalog import RW_CATALOG
from django_risingwave.testing.servers import doubled
from django_risingwave.version import ServerVersion
from tests.django_risingwave.table import THING, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double


# Leaves the database as a new one. Creating a new one takes five times as long.
EMPTY = r"""
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    CREATE SCHEMA public;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
END $$
"""


_numbers = count()


@pytest.fixture(scope="session")
def scratch(django_db_blocker: Any) -> Iterator[str]:
    """The name of the database that all tests with `connection` share."""
    wrapper = cast("DatabaseWrapper", connections["risingwave"])
    # Another folder's conftest may import the fixture, and has a database of its own then.
    name = f"scratch_{os.getpid()}_{next(_numbers)}"
    with django_db_blocker.unblock(), wrapper._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    yield name
    with django_db_blocker.unblock(), wrapper._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{name}"')


def make_empty(wrapper: DatabaseWrapper) -> None:
    if wrapper.is_risingwave:
        name = wrapper.settings_dict["NAME"]
        wrapper.close()
        with wrapper._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}"')
            cursor.execute(f'CREATE DATABASE "{name}"')
    else:
        with wrapper.temporary_connection(), wrapper.connection.cursor() as cursor:
            cursor.execute(EMPTY)


@pytest.fixture
def connection(django_db_blocker: Any, scratch: str) -> Iterator[DatabaseWrapper]:
    """The alias `risingwave`, on an empty database."""
    wrapper = cast("DatabaseWrapper", connections["risingwave"])
    original = wrapper.settings_dict["NAME"]
    with django_db_blocker.unblock():
        wrapper.close()
        wrapper.settings_dict["NAME"] = scratch
        try:
            make_empty(wrapper)
            yield wrapper
        finally:
            wrapper.close()
            wrapper.settings_dict["NAME"] = original
            wrapper._server_version = None


@pytest.fixture
def standin(connection: DatabaseWrapper) -> DatabaseWrapper:
    """The connection, for tests of the stand-in alone."""
    if connection.is_risingwave:
        pytest.skip("tests the stand-in, and RISINGWAVE_URL is a RisingWave server's")
    return connection


@pytest.fixture
def risingwave(connection: DatabaseWrapper) -> DatabaseWrapper:
    """The connection, for tests that need a real RisingWave."""
    if not connection.is_risingwave:
        pytest.skip("needs a RisingWave server at RISINGWAVE_URL")
    return connection


@pytest.fixture
def double(standin: DatabaseWrapper) -> Iterator[Double]:
    """A double of RisingWave between the alias `risingwave` and its stand-in."""
    with doubled(standin.alias) as double:
        yield double


@pytest.fixture
def options(standin: DatabaseWrapper) -> Iterator[dict[str, Any]]:
    """The OPTIONS of the alias, to be changed for its next connection."""
    standin.close()
    original = standin.settings_dict["OPTIONS"]
    standin.settings_dict["OPTIONS"] = dict(original)
    yield standin.settings_dict["OPTIONS"]
    standin.close()
    standin.settings_dict["OPTIONS"] = original


@pytest.fixture
def connect(standin: DatabaseWrapper) -> Iterator[Callable[[], Any]]:
    """A function that returns another connection of the driver to the same database."""
    Database: Any = standin.Database  # noqa: N806 - Django's name for the driver
    params = standin.get_connection_params()
    opened = []

    def connect() -> Any:
        other = Database.connect(**params)
        opened.append(other)
        return other

    yield connect
    for other in opened:
        other.close()


_GENERATED = re.compile(r'(?<=\w) AS (\(.*?\))(?=, "|\)$)')

# SQL that Django writes for PostgreSQL, and that RisingWave 3.0.3 can't parse or doesn't implement.
_REJECTED = re.compile(
    r"""
    \b(varchar|numeric|char|bit|timestamp)\s*\( | \b(uuid|inet|cidr|citext|hstore|json|serial)\b(?!")
    | \bUNIQUE\b | \bCHECK\b | \bREFERENCES\b | \bFOREIGN\ KEY\b | \bCONSTRAINTS?\b | \bDEFERRABLE\b
    | \bIDENTITY\b | \bSEQUENCE\b | \bnextval\b | \bsetval\b | \bGENERATED\b | \bCOLLATE\b
    | \bTABLESPACE\b | _pattern_ops | \bCONCURRENTLY\b | \bALTER\ COLUMN\b | \bRENAME\ COLUMN\b
    | \bCASCADE\b | \bTRUNCATE\b | \bSAVEPOINT\b | \bBEGIN\b | \bCOMMIT\b | \bROLLBACK\b | \bLOCK\b
    | \bFOR\ UPDATE\b | \bON\ CONFLICT\b | \bUNNEST\b | \bDEFAULT\ VALUES\b | \(DEFAULT\b
    | \bWITH\ HOLD\b | \bDECLARE\b | \b(STATEMENT|CLOCK|TRANSACTION)_TIMESTAMP\b
    | \bCURRENT_(DATE|TIME)\b | pg_(class|attribute|constraint|index) | \bTRIGGER\b | \bFUNCTION\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


class Disguise:
    """Make the backend take PostgreSQL for RisingWave, and record the statements that it sends."""

    def __init__(self, connection: DatabaseWrapper) -> None:
        self.connection = connection
        self.statements: list[str] = []

    def rejected(self) -> list[str]:
        """Return the statements so far that RisingWave rejects."""
        return [sql for sql in self.statements if _REJECTED.search(sql)]

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.statements.append(sql)
        # PostgreSQL has neither FLUSH nor these settings, and its subscriptions are something else.
        if sql == "FLUSH" or sql.startswith(("SET rw_", "SET background_ddl ")):
            sql = "SELECT 1"
        elif match := re.match(r"CREATE SUBSCRIPTION \"(\w+)\" FROM \"(\w+)\" ", sql):
            sql = f"""INSERT INTO rw_catalog.rw_subscriptions (name, schema_id, source_id)
                VALUES ('{match[1]}', current_schema()::regnamespace, to_regclass('{match[2]}'))"""
        elif match := re.match(r"DROP SUBSCRIPTION \"(\w+)\"", sql):
            sql = f"DELETE FROM rw_catalog.rw_subscriptions WHERE name = '{match[1]}'"
        elif sql.startswith("CREATE TABLE "):
            sql = _GENERATED.sub(r" GENERATED ALWAYS AS \1 STORED", sql)
        return execute(sql, params, many, context)


@pytest.fixture
def disguise(standin: DatabaseWrapper) -> Iterator[Disguise]:
    """The stand-in, taken for RisingWave."""
    Database: Any = standin.Database  # noqa: N806 - Django's name for the driver
    with closing(Database.connect(**standin.get_connection_params())) as other:
        other.autocommit = True
        other.cursor().execute(RW_CATALOG)
    standin.ensure_connection()
    standin._server_version = ServerVersion(is_risingwave=True, version="3.0.3")
    disguise = Disguise(standin)
    with standin.execute_wrapper(disguise):
        yield disguise


@pytest.fixture(params=["as the stand-in", "as RisingWave"])
def both_servers(request: pytest.FixtureRequest, connection: DatabaseWrapper) -> Disguise | None:
    """Run the test twice: on the stand-in, then on the stand-in taken for RisingWave, which this returns."""
    if request.param == "as RisingWave" and not connection.is_risingwave:
        disguise: Disguise = request.getfixturevalue("disguise")
        return disguise
    return None


@pytest.fixture
def thing(standin: DatabaseWrapper, both_servers: Disguise | None) -> Any:
    """A table with rows, with PostgreSQL as the stand-in and in RisingWave's disguise."""
    table = Table(standin, THING)
    table.model().bulk_create([table.model().model(name="a", amount=1), table.model().model(name="b")])
    yield table
    if both_servers:
        assert both_servers.rejected() == []


@pytest.fixture(
    params=[
        "as the stand-in",
        "as RisingWave",
        pytest.param("on RisingWave", marks=pytest.mark.risingwave),
    ]
)
def each_server(request: pytest.FixtureRequest) -> DatabaseWrapper:
    """Run the test on the stand-in, on a double of RisingWave, and on a real one if there is one."""
    if request.param == "as RisingWave":
        request.getfixturevalue("double")
    name = "risingwave" if request.param == "on RisingWave" else "standin"
    connection: DatabaseWrapper = request.getfixturevalue(name)
    return connection

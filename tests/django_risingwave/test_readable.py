"""What a session may read, and the columns to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from django_risingwave.readable import (
    Column,
    Relation,
    find_columns,
    find_relations,
    identifier,
    may_create_in_current_schema,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper

TABLE = "CREATE TABLE sales (product varchar, amount numeric, at timestamptz)"
VIEW = "CREATE MATERIALIZED VIEW totals AS SELECT product, sum(amount) AS total FROM sales GROUP BY product"
#: Names that somebody with the right to create tables may have given them.
HOSTILE = ('"x" ; DROP TABLE y; --"', "a b%s", "é'; --", "x\\", "%(x)s")


def execute(connection: DatabaseWrapper, *statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def stranger(standin: DatabaseWrapper) -> Iterator[DatabaseWrapper]:
    """A session as a user who may read one of two tables."""
    execute(standin, TABLE, "CREATE TABLE secrets (word varchar)", "CREATE SCHEMA closed")
    with standin.connection.cursor() as cursor:
        cursor.execute("CREATE TABLE closed.sales (a int)")
        cursor.execute("CREATE ROLE stranger")
        cursor.execute("GRANT SELECT ON sales, closed.sales TO stranger")
        cursor.execute("SET ROLE stranger")
        yield standin
        cursor.execute("RESET ROLE")
        cursor.execute("DROP OWNED BY stranger")
        cursor.execute("DROP ROLE stranger")


def test_tables_and_views_are_found_with_their_kinds_and_columns(each_server: DatabaseWrapper) -> None:
    execute(each_server, TABLE, VIEW)
    found = find_relations(each_server)
    assert found[Relation("public", "sales")] == "table"
    assert found[Relation("public", "totals")] == "materialized view"
    assert {relation.schema for relation in found} == {"public"}
    columns = find_columns(each_server, Relation("public", "totals"))
    assert columns == [Column("product", 1043), Column("total", 1700)]
    assert find_columns(each_server, Relation("public", "total")) == []
    assert find_columns(each_server, Relation("standin", "totals")) == []


def test_only_what_the_user_may_read_is_found(stranger: DatabaseWrapper) -> None:
    assert list(find_relations(stranger)) == [Relation("public", "sales")]
    assert not may_create_in_current_schema(stranger)


def test_the_owner_may_create(each_server: DatabaseWrapper) -> None:
    each_server.ensure_connection()
    assert may_create_in_current_schema(each_server)


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_in_the_catalog_is_escaped_by_the_driver(standin: DatabaseWrapper, name: str) -> None:
    standin.ensure_connection()
    quoted = identifier(standin, "public", name)
    with standin.connection.cursor() as cursor:
        cursor.execute("CREATE TABLE y (a int)")
        cursor.execute(f"CREATE TABLE {quoted} (a int)")
        cursor.execute(f"INSERT INTO {quoted} VALUES (3)")
        cursor.execute(f"SELECT a FROM {quoted}")
        assert cursor.fetchall() == [(3,)]
    assert find_relations(standin)[Relation("public", name)] == "table"
    assert find_columns(standin, Relation("public", name)) == [Column("a", 23)]
    assert Relation("public", "y") in find_relations(standin)


def test_a_domain_has_its_base_type_and_an_enum_is_text(standin: DatabaseWrapper) -> None:
    with standin.temporary_connection(), standin.connection.cursor() as cursor:
        cursor.execute("CREATE DOMAIN money_ AS numeric CHECK (VALUE > 0)")
        cursor.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        cursor.execute("CREATE TABLE t (m money_, f mood)")
    assert find_columns(standin, Relation("public", "t")) == [Column("m", 1700), Column("f", 25)]

"""Tables, columns, keys and indexes are described as `inspectdb` needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.django_risingwave.models import Author, Book

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise


@pytest.fixture
def tables(standin: DatabaseWrapper, both_servers: Disguise | None) -> DatabaseWrapper:
    """Tables, a view and an index, and others in a schema outside the search path."""
    with standin.schema_editor() as editor:
        editor.create_model(Author)
        editor.create_model(Book)
    with standin.cursor() as cursor:
        cursor.execute("CREATE VIEW titles AS SELECT title FROM django_risingwave_book")
        cursor.execute("CREATE MATERIALIZED VIEW names AS SELECT name FROM django_risingwave_author")
        cursor.execute("CREATE TABLE keyless (a int NOT NULL, b varchar)")
        cursor.execute("CREATE INDEX two ON keyless (b, a)")
        cursor.execute("CREATE SCHEMA elsewhere")
        cursor.execute("CREATE TABLE elsewhere.hidden (a int)")
        cursor.execute("CREATE TABLE elsewhere.keyless (c int PRIMARY KEY)")
    return standin


def test_tables_and_views_of_the_current_schema_are_listed(tables: DatabaseWrapper) -> None:
    with tables.cursor() as cursor:
        found = {table.name: table.type for table in tables.introspection.get_table_list(cursor)}
    assert found == {
        "django_risingwave_author": "t",
        "django_risingwave_book": "t",
        "django_risingwave_book_readers": "t",
        "keyless": "t",
        "names": "v",
        "titles": "v",
    }
    assert "titles" not in tables.introspection.table_names()


def test_columns_are_described(tables: DatabaseWrapper) -> None:
    with tables.cursor() as cursor:
        columns = tables.introspection.get_table_description(cursor, "keyless")
        introspection: Any = tables.introspection
        kinds = {column.name: introspection.get_field_type(column.type_code, column) for column in columns}
    assert {column.name: column.null_ok for column in columns} == {"a": False, "b": True}
    assert kinds == {"a": "IntegerField", "b": "CharField"}


def test_keys_and_indexes_are_described(tables: DatabaseWrapper) -> None:
    def described(table: str) -> Any:
        with tables.cursor() as cursor:
            assert tables.introspection.get_relations(cursor, table) == {}
            assert tables.introspection.get_sequences(cursor, table) == []
            constraints = tables.introspection.get_constraints(cursor, table)
        return {
            name: (facts["columns"], facts["primary_key"], facts["index"])
            for name, facts in constraints.items()
            # PostgreSQL 18 lists NOT NULL as a constraint.
            if facts["primary_key"] or facts["index"]
        }

    assert described("keyless") == {"two": (["b", "a"], False, True)}
    assert described("django_risingwave_author") == {"django_risingwave_author_pkey": (["id"], True, False)}


def test_a_subscription_is_found_by_its_source(standin: DatabaseWrapper, disguise: Disguise) -> None:
    with standin.cursor() as cursor:
        for schema in ("public", "elsewhere"):
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            cursor.execute(f"CREATE MATERIALIZED VIEW {schema}.names AS SELECT 'a'::varchar AS name")
        cursor.execute("CREATE TABLE titles (title varchar)")
        cursor.execute(
            "INSERT INTO rw_catalog.rw_subscriptions (name, schema_id, source_id)"
            " SELECT name, relnamespace, oid FROM pg_class"
            " JOIN (VALUES ('r', 'public.names'), ('s', 'public.names'), ('other', 'elsewhere.names'))"
            " AS subscription (name, relation) ON oid = relation::regclass"
        )
        assert standin.introspection.get_subscriptions(cursor) == {"names": "s"}
        assert standin.introspection.get_subscription_sources(cursor) == {"r": "names", "s": "names"}


def test_a_new_stand_in_has_no_subscriptions(standin: DatabaseWrapper) -> None:
    with standin.cursor() as cursor:
        assert standin.introspection.get_subscriptions(cursor) == {}


def test_relations_whose_names_need_quotes_are_found_to_be_readable(tables: DatabaseWrapper) -> None:
    names = {"2024_sales_leading", "Titles of 2024"}
    with tables.cursor() as cursor:
        for name in names:
            cursor.execute(f'CREATE TABLE "{name}" (a int)')
        assert tables.introspection.get_readable(cursor, sorted(names)) == names

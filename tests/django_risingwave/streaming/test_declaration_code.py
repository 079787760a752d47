"""The code that inspectdb writes for what a server has."""

from __future__ import annotations

from typing import Any

import pytest

from django_risingwave.streaming.inspecting.catalog import Catalog, CatalogObject
from django_risingwave.streaming.inspecting.declaration_code import (
    base_class,
    imports,
    meta_code,
    stream_code,
)


def described(name: str, kind: str, definition: str, *sources: str) -> CatalogObject:
    return CatalogObject(name, kind, definition, (), frozenset(sources))


def code(relation: CatalogObject, *attached: CatalogObject) -> list[str]:
    return list(stream_code(Catalog({each.name: each for each in (relation, *attached)}), relation))


def view(query: str) -> CatalogObject:
    return described("v", "materialized view", f"CREATE MATERIALIZED VIEW v AS {query}")


def stream(lines: list[str]) -> Any:
    """Return the class Stream that the lines define."""
    names: dict[str, Any] = {}
    exec("class Model:\n" + "\n".join(lines), names)
    return names["Model"].Stream


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS a",
        "SELECT 'it''s 100 %' AS a FROM \"T\"",
        "SELECT 'back\\slash' AS a",
        "SELECT 'two\nlines' AS a",
        'SELECT \'"""\' AS a',
        "SELECT {'a': 1} AS a",
    ],
)
def test_the_text_of_a_query_stays_the_same_but_for_white_space(query: str) -> None:
    assert stream(code(view(query))).query.split() == query.split()


def test_a_long_query_is_wrapped_before_its_clauses_and_never_in_a_literal() -> None:
    literal = "'" + "from where group " * 10 + "'"
    select = ", ".join(f"c{number}" for number in range(40))
    query = f"SELECT {select}, {literal} AS x FROM (SELECT * FROM t WHERE a > 1) AS s WHERE b > 2 GROUP BY c1"
    lines = code(view(query))
    assert "            WHERE b > 2" in lines
    assert "            GROUP BY c1" in lines
    assert any(literal in line for line in lines)
    assert any("FROM (SELECT * FROM t WHERE a > 1) AS s" in line for line in lines)
    assert stream(lines).query.split() == query.split()


def test_a_query_of_several_lines_keeps_them() -> None:
    assert code(view("SELECT a\n                FROM t\n                WHERE b")) == [
        "",
        "    class Stream:",
        '        query = """',
        "            SELECT a",
        "            FROM t",
        "            WHERE b",
        '        """',
    ]


def test_a_secret_is_written_by_its_name() -> None:
    lines = code(
        described(
            "s",
            "source",
            "CREATE SOURCE s (a INT)"
            " WITH (connector = 'kafka', properties.sasl.password = SECRET kafka_password)"
            " FORMAT UPSERT ENCODE AVRO (schema.registry = 'http://x')",
        )
    )
    assert "            'properties.sasl.password': Secret('kafka_password')," in lines
    assert "        format = 'UPSERT'" in lines
    assert "            'schema.registry': 'http://x'," in lines
    assert list(imports(lines)) == ["from django_risingwave.streaming.secrets import Secret"]


def test_the_subscription_of_the_usual_name_is_declared_and_others_are_comments() -> None:
    def subscription(name: str) -> CatalogObject:
        definition = f"CREATE SUBSCRIPTION {name} FROM v WITH (retention = '12h')"
        return described(name, "subscription", definition, "v")

    lines = code(view("SELECT 1 AS a"), subscription("v_changes"), subscription("other"))
    assert lines[-2:] == [
        "        subscription = '12h'",
        "        # subscription = Subscription('12h', name='other')",
    ]
    lines = code(view("SELECT 1 AS a"), subscription("other"))
    assert lines[-1] == "        subscription = Subscription('12h', name='other')"


def test_an_index_of_expressions_is_a_comment() -> None:
    relation = view("SELECT 1 AS a")
    index = described("i", "index", "CREATE INDEX i ON v (lower(a))", "v")
    assert list(meta_code(Catalog({"v": relation, "i": index}), relation, str)) == [
        "        indexes = [",
        "            # Write this one by hand: CREATE INDEX i ON v (lower(a))",
        "        ]",
    ]


@pytest.mark.parametrize(
    ("kind", "definition", "base"),
    [
        ("table", "CREATE TABLE t (a INT)", "RisingWaveModel"),
        (
            "table",
            "CREATE TABLE t (a INT) WITH (connector = 'datagen') FORMAT PLAIN ENCODE JSON",
            "ConnectorTable",
        ),
        ("table", "CREATE TABLE t (a INT, PRIMARY KEY (a)) FROM s TABLE 'public.t'", "ReadOnlyModel"),
        ("source", "CREATE SOURCE t (a INT) WITH (connector = 'kafka') FORMAT PLAIN ENCODE JSON", "Source"),
        ("source", "", "ReadOnlyModel"),
        ("materialized view", "", "MaterializedView"),
        ("view", "CREATE VIEW t AS SELECT 1 AS a", "ReadOnlyModel"),
    ],
)
def test_the_base_class_is_that_of_the_kind(kind: str, definition: str, base: str) -> None:
    assert base_class(described("t", kind, definition)) == base


def test_neither_passwords_nor_other_code_come_from_the_server() -> None:
    url = "jdbc:postgresql://db/shop?user=shop&password=s3cret"
    sinks = [
        described("s", "sink", f"CREATE SINK s FROM v WITH (connector = 'jdbc', jdbc.url = '{url}')", "v"),
        described("u", "sink", "CREATE SINK u FROM v\nWITH (password 's3cret')", "v"),
    ]
    lines = code(view("SELECT 1 AS a"), *sinks)
    assert "s3cret" not in "\n".join(lines)
    assert any("'jdbc.url': Environment('JDBC_URL')" in line for line in lines)
    assert "            # The sink 'u' can't be read. Write it by hand: SHOW CREATE SINK shows it." in lines
    index = described("i", "index", 'CREATE INDEX i ON v (lower("\nimport os"))', "v")
    catalog = Catalog({each.name: each for each in (view("SELECT 1 AS a"), index)})
    assert all(line.lstrip().startswith(("#", "indexes", "]")) for line in meta_code(catalog, view(""), str))

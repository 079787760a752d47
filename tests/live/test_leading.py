"""The leading rows of a ranking: how migrations create them, and which query reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, models
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import OperationWriter
from django.test.utils import isolate_apps

from django_risingwave.models import MaterializedView
from django_risingwave.testing.transcripts import load
from live.leading import advised_index, leading_model, totals_model
from live.migration_operations import CreateLeadingRows, DropLeadingRows
from live.rankings import RANKINGS, Ranking

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise

TRANSCRIPTS = {transcript.sql: transcript for transcript in load() if not transcript.error}
#: The arguments of the operation whose objects the transcripts have.
RECORDED: dict[str, Any] = {"view": "r_item", "key": "itemid", "measure": "turnover"}
CREATED = [
    (
        'CREATE MATERIALIZED VIEW "r_item_leading" AS SELECT "itemid", "turnover" FROM "r_item"'
        ' ORDER BY "turnover" DESC NULLS LAST, "itemid" ASC NULLS LAST LIMIT 50'
    ),
    """CREATE SUBSCRIPTION "r_item_leading_changes" FROM "r_item_leading" WITH (retention = '1 day')""",
    (
        'CREATE MATERIALIZED VIEW "r_item_totals" AS SELECT count(*) AS "keys", sum("turnover") AS "total"'
        ' FROM "r_item"'
    ),
]
DROPPED = [
    'DROP MATERIALIZED VIEW "r_item_totals"',
    'DROP SUBSCRIPTION "r_item_leading_changes"',
    'DROP MATERIALIZED VIEW "r_item_leading"',
]


def operation(**changes: Any) -> CreateLeadingRows:
    return CreateLeadingRows("r-item", **RECORDED | changes)


def run(connection: DatabaseWrapper, operation: Any, *, backwards: bool = False) -> None:
    with connection.schema_editor() as editor:
        method = operation.database_backwards if backwards else operation.database_forwards
        method("demo_shop", editor, ProjectState(), ProjectState())


@pytest.fixture
def item(disguise: Disguise) -> Disguise:
    """A view on the stand-in, which is taken for RisingWave."""
    with disguise.connection.cursor() as cursor:
        cursor.execute("CREATE MATERIALIZED VIEW r_item AS SELECT 1 AS itemid, 2.5 AS turnover")
    disguise.statements.clear()
    return disguise


def changing(disguise: Disguise) -> list[str]:
    """Return the statements so far that create or drop something, and forget them."""
    found = [sql for sql in disguise.statements if re.match("CREATE|DROP", sql)]
    disguise.statements.clear()
    return found


# ---- migrations


def test_risingwave_gets_the_statements_that_it_has_accepted(item: Disguise) -> None:
    run(item.connection, operation())
    assert changing(item) == CREATED
    assert set(CREATED) <= TRANSCRIPTS.keys()
    run(item.connection, operation(), backwards=True)
    assert changing(item) == DROPPED


@pytest.mark.parametrize("done", [1, 2, 3])
def test_an_interrupted_migration_is_finished_by_the_next_run(item: Disguise, done: int) -> None:
    for definition in operation().definitions[:done]:
        with item.connection.schema_editor() as editor:
            editor.create_streaming_object(definition)
    item.statements.clear()
    run(item.connection, operation())
    assert changing(item) == CREATED[done:]
    run(item.connection, operation())
    assert changing(item) == []


@pytest.mark.parametrize("done", [1, 2, 3])
def test_an_interrupted_reversal_is_finished_by_the_next_run(item: Disguise, done: int) -> None:
    run(item.connection, operation())
    for definition in operation().definitions[: -done - 1 : -1]:
        with item.connection.schema_editor() as editor:
            editor.delete_streaming_object(definition)
    item.statements.clear()
    run(item.connection, operation(), backwards=True)
    assert changing(item) == DROPPED[done:]


def test_an_average_has_no_sum(item: Disguise) -> None:
    run(item.connection, operation(summed=False, rows=7))
    assert changing(item)[0].endswith(" LIMIT 7")
    with item.connection.cursor() as cursor:
        cursor.execute("SELECT * FROM r_item_totals")
        assert [column.name for column in cursor.description] == ["keys"]


def test_leading_rows_are_dropped_and_created_again_by_an_operation_too(item: Disguise) -> None:
    drop = DropLeadingRows("r-item", **RECORDED)
    run(item.connection, operation())
    changing(item)
    run(item.connection, drop)
    assert changing(item) == DROPPED
    run(item.connection, drop)
    assert changing(item) == []
    run(item.connection, drop, backwards=True)
    assert changing(item) == CREATED


def test_sqlmigrate_shows_all_statements(item: Disguise) -> None:
    run(item.connection, operation())
    for backwards, expected in ((False, CREATED), (True, DROPPED)):
        with item.connection.schema_editor(collect_sql=True) as editor:
            method = operation().database_backwards if backwards else operation().database_forwards
            method("demo_shop", editor, ProjectState(), ProjectState())
        assert [sql.rstrip(";") for sql in editor.collected_sql] == expected


def test_a_migration_file_gives_the_same_operation() -> None:
    original = operation(rows=100, summed=False, retention="12h")
    text, imports = OperationWriter(original, indentation=0).serialize()
    written: dict[str, Any] = {}
    exec("\n".join(imports) + f"\nwritten = {text.rstrip().rstrip(',')}", written)
    assert written["written"].definitions == original.definitions
    assert original.migration_name_fragment == "r_item_leading"
    assert original.describe() == "Create the leading rows and totals of ranking r-item"


@pytest.mark.parametrize("rows", [0, -1, 2.5])
def test_a_number_of_rows_that_is_not_positive_is_refused(rows: Any) -> None:
    with pytest.raises(ValueError, match="must have a positive number of rows, not"):
        operation(rows=rows)


def test_the_key_can_not_be_the_measure() -> None:
    with pytest.raises(ValueError, match="has 'itemid' as its key and as its measure"):
        operation(measure="itemid")


# ---- queries


def normalized(sql: str) -> str:
    """Return the SQL with the names of the transcripts, and columns without that of their table."""
    sql = re.sub(r'"\w+_(leading|totals)"', r'"r_item_\1"', sql)
    return re.sub(r'"r_item_(?:leading|totals)"\.', "", sql)


def test_the_queries_are_those_whose_plans_risingwave_has_shown() -> None:
    """Their plans read 5 rows and 1 row: BatchLimit over BatchScan of the leading rows, and BatchScan."""
    ranking = RANKINGS["products-by-turnover"]
    rows, _ = ranking.queryset(leading_model(ranking)).query.get_compiler("risingwave").as_sql()
    totals, _ = totals_model(ranking)._default_manager.all().query.get_compiler("risingwave").as_sql()
    plans = {
        sql.removeprefix("EXPLAIN "): [row for (row,) in transcript.rows]
        for sql, transcript in TRANSCRIPTS.items()
        if sql.startswith("EXPLAIN ")
    }
    assert plans[normalized(rows)][1:] == [
        "└─BatchLimit { limit: 5, offset: 0 }",
        "  └─BatchScan { table: r_item_leading, columns: [itemid, turnover], limit: 5 }",
    ]
    assert plans[normalized(totals)][1:] == ["└─BatchScan { table: r_item_totals, columns: [keys, total] }"]


def test_the_advised_index_is_one_that_risingwave_has_created() -> None:
    sql = advised_index(RANKINGS["products-by-turnover"], str)
    assert sql.replace("item_turnover", "r_item") in TRANSCRIPTS


@isolate_apps("demo.shop")
def test_a_relation_as_the_key_becomes_a_field_of_the_related_key() -> None:
    class Product(MaterializedView):
        code = models.CharField(max_length=20, primary_key=True)

        class Meta(MaterializedView.Meta):
            app_label = "demo_shop"
            db_table = "product"

    class ProductSales(MaterializedView):
        product = models.OneToOneField(Product, models.DO_NOTHING, primary_key=True)
        sales = models.FloatField()

        class Meta(MaterializedView.Meta):
            app_label = "demo_shop"
            db_table = "product_sales"

    ranking = Ranking("top-products", "products", ProductSales, key="product", measure="sales")
    for model in (ProductSales, leading_model(ranking)):
        sql, _ = ranking.queryset(model).query.get_compiler("risingwave").as_sql()
        table = model._meta.db_table
        assert sql.startswith(f'SELECT "{table}"."product_id", "{table}"."sales" FROM "{table}" ORDER BY ')
    meta: Any = leading_model(ranking)._meta
    key = meta.get_field("product")
    assert (type(key), key.column, key.max_length) == (models.CharField, "product_id", 20)


@pytest.mark.risingwave
def test_a_real_server_sorts_nothing_and_keeps_the_view_while_leading_rows_stand_on_it(
    risingwave: DatabaseWrapper,
) -> None:
    with risingwave.cursor() as cursor:
        cursor.execute("CREATE TABLE sold (itemid int, turnover numeric)")
        cursor.execute(
            "CREATE MATERIALIZED VIEW r_item AS SELECT itemid, sum(turnover) AS turnover FROM sold"
            " GROUP BY itemid"
        )
        run(risingwave, operation())
        run(risingwave, operation())
        query = next(sql for sql in TRANSCRIPTS if sql.startswith('EXPLAIN SELECT "itemid", "turnover" FROM'))
        cursor.execute(query)
        plan = [row for (row,) in cursor.fetchall()]
        assert tuple((row,) for row in plan) == TRANSCRIPTS[query].rows
        with pytest.raises(DatabaseError, match="r_item_leading"):
            cursor.execute("DROP MATERIALIZED VIEW r_item")
    run(risingwave, operation(), backwards=True)

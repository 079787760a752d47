"""The pages of a ranking that has no Django model."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import AsyncClient

from django_risingwave.models import MaterializedView
from django_risingwave.readable import Relation
from live.opened.origin import find_origin
from live.rankings import RANKINGS, RelationRanking
from tests.conftest import BOTH

pytestmark = [BOTH, pytest.mark.usefixtures("patience")]


@pytest.fixture
def sales(monkeypatch) -> RelationRanking:
    """A ranking of the view of the states' turnover, taken from the catalog."""
    ranking = RelationRanking(
        slug="sales",
        title="states by sales",
        model=MaterializedView,  # type: ignore[type-abstract]
        key="state",
        measure="turnover",
        relation=Relation("public", "state_turnover"),
    )
    monkeypatch.setitem(RANKINGS, ranking.slug, ranking)
    return ranking


async def body(path: str) -> str:
    answer = await AsyncClient().get(path)
    assert answer.status_code == 200, answer.content
    if answer.streaming:
        return b"".join([chunk async for chunk in answer.streaming_content]).decode()  # type: ignore[attr-defined]
    return answer.content.decode()


async def test_it_has_a_page_an_export_and_pages_of_its_keys(sales, insert, site_environment):
    await insert(*((1, number, 1.0, f"State {number}") for number in range(1, 71)))
    page = await body("/rankings/sales/")
    assert "State 70" in page
    assert "CREATE MATERIALIZED VIEW" in page
    assert "state_turnover" in page
    rows = (await body("/rankings/sales/csv/")).splitlines()
    assert len(rows) == 71
    assert rows[1] == "1,State 70,State 70,70"
    key = await body("/rankings/sales/key/?key=%22State+3%22")
    assert ">68 " in key
    assert "States by sales" in key
    missing = await AsyncClient().get("/rankings/sales/key/?key=%22Nowhere%22")
    assert missing.status_code == 404


async def test_where_it_comes_from_follows_a_change_of_its_user_at_once(sales, insert):
    await insert((1, 1, 1.0, "Ohio"))
    before = await find_origin(sales)
    changed = replace(sales, relation=Relation("public", "item_turnover"), key="itemid")
    after = await find_origin(changed)
    assert before is not None
    assert after is not None
    assert (before.view, after.view) == ("state_turnover", "item_turnover")
    assert "item_turnover" in after.query
    assert before.query != (await find_origin(replace(sales, ascending=True))).query  # type: ignore[union-attr]


async def test_a_key_of_another_type_is_an_unknown_key_and_no_fault_of_the_database(
    sales, insert, site_environment, monkeypatch
):
    await insert((1, 5, 1.0, "Ohio"))
    products = replace(
        sales, slug="products", relation=Relation("public", "item_quantity"), key="itemid", measure="quantity"
    )
    monkeypatch.setitem(RANKINGS, products.slug, products)
    for key in ("1", "1.5", "true", "{}", '["Ohio"]'):
        answer = await AsyncClient().get("/rankings/sales/key/", {"key": key})
        assert answer.status_code == 404, key
    for key, status in (("1", 200), ('"Ohio"', 404), ("1.5", 404), ("true", 404), ("{}", 404), ("[1]", 404)):
        answer = await AsyncClient().get("/rankings/products/key/", {"key": key})
        assert answer.status_code == status, key

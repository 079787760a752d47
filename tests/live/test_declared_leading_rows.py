"""The leading rows of a declared ranking: made, read and dropped if a user asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import ProgrammingError, connections

from django_risingwave.readable import Relation
from live.declared import choices, keeping, previews
from live.declared.declarations import ranking_of
from live.models import DeclaredRanking
from tests.conftest import BOTH
from tests.live.declaring import NEW, SALES, declare, text
from tests.live.hubs import in_thread

pytestmark = [BOTH, pytest.mark.usefixtures("site_environment", "user_rankings", "patience")]


async def test_leading_rows_are_made_only_if_asked(declarer, sales):
    row = await declare(declarer)
    assert not await in_thread(kept)()
    page = text(await declarer.get(f"/rankings/{row.slug}/edit/"))
    assert "CREATE MATERIALIZED VIEW &quot;products_by_sales_" in page
    response = await declarer.post(f"/rankings/{row.slug}/edit/", SALES | {"keep": "on"})
    assert response.status_code == 302, text(response)
    assert len(await in_thread(kept)()) == 2
    page = text(await declarer.get(f"/rankings/{row.slug}/edit/"))
    assert "are kept in the database: changes are pushed" in page
    assert "Changes pushed" in page
    await declarer.post(f"/rankings/{row.slug}/delete/", {"drop": "on"})
    assert not await in_thread(kept)()


def kept() -> list[str]:
    connection: Any = connections["risingwave"]
    with connection.cursor() as cursor:
        kinds = connection.introspection.get_relation_kinds(cursor)
    return [name for name in kinds if name.startswith("products_by_sales_")]


def test_where_leading_rows_can_not_be_made_the_reason_is_given(sales):
    def obstacle(**changes: Any) -> str:
        return keeping.obstacle(sales, replace(ranking_of(DeclaredRanking(**row)), **changes))

    row = {"slug": "s", "title": "t", "schema": "public", "relation": "sales", "key": "product"}
    row |= {"measure": "amount"}
    assert obstacle() == ""
    assert obstacle(relation=Relation("other", "sales")) == (
        "They can only be made of views and tables in the schema “public”."
    )
    assert obstacle(measure='"x" ; DROP TABLE y; --"') == "A name has a quotation mark in it."
    with sales.connection.cursor() as cursor:
        cursor.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        cursor.execute("CREATE ROLE watcher")
        cursor.execute("SET ROLE watcher")
        assert obstacle() == ("This site’s user of the database may not create views in the schema “public”.")
        cursor.execute("RESET ROLE")
        cursor.execute("DROP ROLE watcher")


async def test_the_form_says_why_leading_rows_can_not_be_made(declarer, sales, monkeypatch):
    monkeypatch.setattr(keeping, "may_create_in_current_schema", lambda _: False)
    page = text(await declarer.get(NEW, {"schema": "public", "relation": "sales"}))
    assert "can’t be made for it. This site’s user of the database may not create views" in page
    assert "Make its leading rows" not in page


async def test_a_database_that_can_not_say_whether_they_can_be_made_shows_the_ranking_all_the_same(
    declarer, sales, monkeypatch
):
    def fail(_: Any) -> bool:
        raise ProgrammingError("function has_schema_privilege does not exist")

    monkeypatch.setattr(keeping, "may_create_in_current_schema", fail)
    page = text(await declarer.get(NEW, {"schema": "public", "relation": "sales"}))
    assert "The database doesn’t say whether they can be" in page
    assert "Coffee 1,234" in page


async def test_the_leading_rows_of_the_smallest_are_made_and_read(declarer, sales):
    row = await declare(declarer, keep="on", ascending="True")
    assert len(await in_thread(kept)()) == 2
    page = text(await declarer.get(f"/rankings/{row.slug}/edit/"))
    assert "Changes pushed" in page
    answer = (await declarer.get(f"/api/rankings/{row.slug}/")).json()
    assert [one["name"] for one in answer["rows"]] == ["Tea", "Coffee", "Milk"]


async def test_a_changed_ranking_can_drop_the_leading_rows_that_it_was_read_from(declarer, sales):
    row = await declare(declarer, keep="on")
    former = await in_thread(kept)()
    page, changed = f"/rankings/{row.slug}/edit/", SALES | {"ascending": "True", "keep": "on"}
    assert "Drop the leading rows" not in text(await declarer.post(page, SALES | {"preview": "1"}))
    shown = (await declarer.post(page, changed | {"preview": "1"})).content.decode()
    assert 'name="keep" value="on" checked' in shown, "the choice survives the preview"
    assert 'name="drop" value="on">' in shown
    assert (await declarer.post(page, changed | {"drop": "on"})).status_code == 302
    now = await in_thread(kept)()
    assert (len(former), len(now), set(former) & set(now)) == (2, 2, set())


def test_on_risingwave_a_ranking_is_read_at_intervals_until_its_leading_rows_are_made(
    each_server, transactional_db
):
    with each_server.cursor() as cursor:
        cursor.execute("CREATE TABLE sales (product varchar, amount numeric)")
        cursor.execute("INSERT INTO sales VALUES ('Tea', 20.5), ('Coffee', 1234.4)")
    each_server.flush()
    fields = {name: SALES[name] for name in ("schema", "relation", "key", "measure", "title")}
    ranking = ranking_of(DeclaredRanking(slug="top-sales", **fields))
    assert [str(relation) for relation, _ in choices.find_page(each_server, "", 1).relations] == [
        "public.sales"
    ]
    before = previews.preview(each_server, ranking)
    assert before.keys == 2
    # Longer where a read takes more than a quarter of a second.
    assert before.refresh_seconds is not None
    assert before.refresh_seconds >= 5
    assert keeping.obstacle(each_server, ranking) == ""
    keeping.keep(each_server, ranking)
    after = previews.preview(each_server, ranking)
    assert (after.keys, after.refresh_seconds, after.has_leading_rows) == (2, None, True)
    assert after.snapshot.values == before.snapshot.values
    keeping.drop(each_server, ranking)
    assert not keeping.is_kept(each_server, ranking)

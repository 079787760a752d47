"""Rankings that users declare on the page."""

from __future__ import annotations

import asyncio
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import AsyncClient
from django.utils import translation

from django_risingwave.readable import Relation
from live import rendering
from live.declared import choices, forms, sessions
from live.declared.declarations import Display, ranking_of
from live.history import records
from live.history.clock import HistoryClock
from live.hub import get_hub
from live.models import Crossing, DeclaredRanking, Record
from live.rankings import RANKINGS
from live.rendering import state_and_note
from live.snapshots import Snapshot
from live.thresholds import Threshold
from tests.conftest import BOTH
from tests.live.declaring import NEW, SALES, declare, execute, make_user, text
from tests.live.hubs import in_thread, wait_until

pytestmark = [BOTH, pytest.mark.usefixtures("site_environment", "user_rankings", "patience")]


async def test_nobody_declares_a_ranking_without_the_permission(sales, settings):
    settings.LIVE_OPEN = True
    response = await AsyncClient().get(NEW)
    assert (response.status_code, response["Location"]) == (302, "/login/?next=/rankings/new/")
    bob = await in_thread(make_user)("bob", "view_order")
    for response in (await bob.get(NEW), await bob.post(NEW, SALES)):
        assert response.status_code == 403
        assert "Ask an administrator for the permission “Can add rankings”" in text(response)
    assert "Add a ranking" not in text(await bob.get("/"))
    assert not await DeclaredRanking.objects.aexists()


async def test_a_site_can_do_without(declarer, settings):
    settings.LIVE_USER_RANKINGS = False
    assert (await declarer.get(NEW)).status_code == 404


async def test_the_relations_that_the_site_may_read_are_listed_and_searched(declarer, sales):
    page = text(await declarer.get(NEW))
    assert "sales table · public" in page
    assert "pg_class" not in page
    assert "2 found" in page
    found = text(await declarer.get(NEW, {"search": "PUBLIC ale"}))
    assert "sales" in found
    assert "words" not in found
    none = text(await declarer.get(NEW, {"search": "<b>' OR 1=1 --", "page": "99999"}))
    assert "has “&lt;b&gt;&#x27; OR 1=1 --” in its name" in none


async def test_a_relation_is_previewed_at_once_with_its_keys_and_the_time_of_a_read(declarer, sales):
    page = text(await declarer.get(NEW, {"schema": "public", "relation": "sales"}))
    assert "Coffee 1,234" in page
    assert re.search(r"Keys 3 A read takes \d+ ms Changes read every \d+ s", page)
    assert not await DeclaredRanking.objects.aexists()


async def test_a_preview_saves_nothing_and_names_what_is_wrong(declarer, sales):
    response = await declarer.post(NEW, SALES | {"preview": "1", "currency": ""})
    assert response.status_code == 200
    assert "Currency: Say which currency it is" in text(response)
    response = await declarer.post(NEW, SALES | {"preview": "1"})
    assert "Coffee €1,234" in text(response)
    assert not await DeclaredRanking.objects.aexists()


WRONG = [
    ({"relation": "sales; DROP TABLE sales"}, 404, "isn&#x27;t among the materialized views and tables"),
    ({"schema": "pg_catalog", "relation": "pg_class"}, 404, "pg_catalog.pg_class isn&#x27;t among"),
    ({"key": "product) FROM sales --"}, 400, "The column product) FROM sales -- can&#x27;t be chosen here"),
    ({"measure": "product"}, 400, "The column product can&#x27;t be chosen here"),
    ({"measure": "sold_at"}, 400, "The column sold_at can&#x27;t be chosen here"),
    ({"key": "amount"}, 400, "Choose another column than the key"),
    ({"title": " "}, 400, "Title: This field is required"),
    ({"size": "7"}, 400, "Rows: Select a valid choice"),
    ({"currency": "<s>"}, 400, "Use a code of three letters"),
    ({"slug": "States--By"}, 400, "Use a-z, 0-9 and single hyphens"),
    ({"slug": "states-by-turnover"}, 400, "Another ranking has this address"),
    ({"slug": "new"}, 400, "Use a-z, 0-9"),
]


async def test_what_cannot_be_ranked_is_refused_by_name(declarer, sales):
    for wrong, status, message in WRONG:
        response = await declarer.post(NEW, SALES | wrong)
        assert (response.status_code, message in text(response)) == (status, True), wrong
    assert not await DeclaredRanking.objects.aexists()


async def test_a_site_has_no_more_declared_rankings_than_it_can_read(declarer, sales, monkeypatch):
    await declare(declarer)
    monkeypatch.setattr(forms, "MAX_DECLARED", 1)
    response = await declarer.post(NEW, SALES)
    assert (response.status_code, "Delete one first" in text(response)) == (400, True)


async def test_the_form_answers_while_leading_rows_are_made(declarer, sales):
    goes_on = threading.Event()
    made = [asyncio.ensure_future(sessions.change(lambda _: goes_on.wait(60))) for _ in range(9)]
    try:
        assert "A read takes" in text(await asyncio.wait_for(declarer.get(NEW, SALES), 60))
    finally:
        goes_on.set()
        await asyncio.gather(*made)


def test_thousands_of_relations_are_paged_with_materialized_views_first(monkeypatch):
    kinds = {Relation("public", f"t{number:04}"): "table" for number in range(3_000)}
    kinds |= {Relation("shop", "by_state"): "materialized view", Relation("shop", "v"): "view"}
    monkeypatch.setattr(choices, "find_relations", lambda _: kinds)
    nowhere: Any = None
    first = choices.find_page(nowhere, "", 1)
    assert [str(relation) for relation, _ in first.relations[:2]] == ["shop.by_state", "public.t0000"]
    assert (len(first.relations), first.count, first.materialized_views) == (50, 3_001, 1)
    assert (first.previous, first.next) == (None, 2)
    last = choices.find_page(nowhere, "", 61)
    assert (len(last.relations), last.previous, last.next) == (1, 60, None)
    assert choices.find_page(nowhere, "", 99).relations == []


def test_the_card_of_an_empty_ranking_says_which_command_fills_it():
    ranking = RANKINGS["states-by-turnover"]
    snapshot = Snapshot(ranking, (), datetime.now(UTC), "PostgreSQL")
    assert "<code>python manage.py generate_orders --rate 20</code>" in rendering.card(snapshot)


async def test_rows_that_share_a_key_are_refused(declarer, sales):
    await in_thread(execute)("INSERT INTO sales VALUES ('Tea', NULL)")
    response = await declarer.post(NEW, SALES)
    assert response.status_code == 400
    assert "Several rows have the same product" in text(response)


async def test_of_two_users_who_save_the_same_address_at_once_the_second_is_told(
    declarer, sales, monkeypatch
):
    first = await declare(declarer)
    # As the form of the second user saw it, just before the first one saved.
    monkeypatch.setattr(forms.DeclarationForm, "_is_taken", lambda form, slug: False)
    monkeypatch.setattr(forms.DeclarationForm, "validate_unique", lambda form: None)
    response = await declarer.post(NEW, SALES | {"slug": first.slug})
    assert (response.status_code, "Another ranking has this address" in text(response)) == (400, True)
    assert await DeclaredRanking.objects.acount() == 1


async def test_a_saved_ranking_is_one_like_those_in_code(declarer, sales):
    row = await declare(declarer)
    assert row.slug == "products-by-sales"
    assert RANKINGS[row.slug].displayed(1234.4) == "€1,234"
    answer = (await declarer.get(f"/api/rankings/{row.slug}/")).json()
    assert [(one["name"], one["display"]) for one in answer["rows"]] == [
        ("Coffee", "€1,234"),
        ("Tea", "€20"),
        ("Milk", "–"),
    ]
    assert answer["totals"]["keys"] == 3
    # Nothing announces its changes, and no request hurries its next read.
    # The feed knows them once it goes on; on a busy machine, they are longer.
    await wait_until(lambda: get_hub().ping().intervals.keys() == {row.slug})
    assert get_hub().ping().intervals[row.slug] >= 5
    assert (await declarer.get(f"/embed/{row.slug}/")).status_code == 200
    # A second one of the same title gets another address.
    assert (await declare(declarer)).slug == "products-by-sales-2"


def test_rows_that_are_read_rarely_are_stale_later():
    half_a_minute_ago = datetime.now(UTC) - timedelta(seconds=30)
    assert state_and_note(half_a_minute_ago, None)[0] == "stale"
    assert state_and_note(half_a_minute_ago, None, 20) == ("", "")


async def test_only_its_owner_and_those_with_the_permission_change_and_delete_a_ranking(declarer, sales):
    row = await declare(declarer)
    other = await in_thread(make_user)("bob", "add_ranking")
    editor = await in_thread(make_user)("eve", "change_ranking", "delete_ranking")
    for page, right in (("edit", "change"), ("delete", "delete")):
        path = f"/rankings/{row.slug}/{page}/"
        assert (await AsyncClient().get(path)).status_code == 302
        response = await other.post(path, SALES)
        assert (response.status_code, f"“Can {right} rankings”" in text(response)) == (403, True)
        assert (await editor.get(path)).status_code == (await declarer.get(path)).status_code == 200
        assert (await declarer.get(f"/rankings/states-by-turnover/{page}/")).status_code == 404
    await Record.objects.acreate(ranking=row.slug, at="2026-11-26T14:00Z")
    response = await editor.post(f"/rankings/{row.slug}/edit/", SALES | {"title": "drinks", "slug": "x"})
    assert response.status_code == 302
    assert RANKINGS[row.slug].title == "drinks"
    assert await Record.objects.aexists()
    response = await editor.post(f"/rankings/{row.slug}/edit/", SALES | {"ascending": "True"})
    assert not await Record.objects.aexists(), "another order is another history"
    await Record.objects.acreate(ranking=row.slug, at="2026-11-26T14:00Z")
    assert (await declarer.post(f"/rankings/{row.slug}/delete/")).status_code == 302
    assert not await Record.objects.aexists()
    assert row.slug not in RANKINGS
    assert (await declarer.get(f"/api/rankings/{row.slug}/")).status_code == 404


async def test_a_ranking_whose_relation_is_gone_gets_another_one(declarer, sales):
    row = await declare(declarer)

    def rename() -> None:
        with connections[sales.alias].cursor() as cursor:
            cursor.execute("ALTER TABLE sales RENAME TO turnover")

    await in_thread(rename)()
    page = f"/rankings/{row.slug}/edit/"
    response = await declarer.get(page)
    assert response.status_code == 200
    assert "Change the ranking" in text(response)
    assert "public.sales isn&#x27;t among" in text(response)
    assert "?schema=public&amp;relation=turnover" in response.content.decode()
    response = await declarer.post(page, SALES | {"relation": "turnover"})
    assert response.status_code == 302
    assert (await declarer.get(f"/api/rankings/{row.slug}/")).json()["totals"]["keys"] == 3


async def test_a_user_declares_a_limit_that_alerts_and_a_new_limit_begins_anew(declarer, sales, settings):
    settings.LIVE_HISTORY = True
    wrong = (
        ({"alert": "above"}, "Say which limit"),
        ({"alert": "above", "limit": "1e301"}, "smaller number"),
    )
    for fields, message in wrong:
        assert message in text(await declarer.post(NEW, SALES | fields))
    row = await declare(declarer, alert="above", limit="1000")
    assert RANKINGS[row.slug].thresholds == (Threshold(above=1000),)
    minute = records.floor(datetime.now(UTC))
    await in_thread(lambda: HistoryClock().keep(minute))()
    crossing = await Crossing.objects.aget()
    assert (crossing.ranking, crossing.key, crossing.value) == (row.slug, '"Coffee"', 1234.4)
    page = f"/rankings/{row.slug}/edit/"
    response = await declarer.get(page)
    assert response.context["form"]["limit"].value() == 1000
    await declarer.post(page, SALES | {"alert": "above", "limit": "2000"})
    assert not await Crossing.objects.filter(ended_at=None).aexists()
    await declarer.post(page, SALES | {"alert": "", "limit": "2000"})
    assert RANKINGS[row.slug].thresholds == ()


async def test_without_a_history_no_limit_is_offered(declarer, sales, settings):
    settings.LIVE_HISTORY = False
    assert "Limit" not in text(await declarer.get(NEW, {"schema": "public", "relation": "sales"}))


async def test_the_form_and_what_is_wrong_with_it_are_in_the_language_of_the_user(declarer, sales, settings):
    settings.LIVE_HISTORY = True
    german = {"accept-language": "de"}
    answers = [
        text(await declarer.post(NEW, SALES | wrong, headers=german))
        for wrong in ({"alert": "above"}, {"key": "amount"}, {"relation": "words; --"})
    ]
    assert "Reihenfolge Größte zuerst" in answers[0]
    assert "Geben Sie die Grenze an" in answers[0]
    assert "Wählen Sie eine andere Spalte" in answers[1]
    assert "gehört nicht zu den Materialized Views und Tabellen" in answers[2]


def test_a_declared_ranking_is_written_in_german():
    formats = (("money", 1234.4), ("percent", 36.84), ("ratio", 0.3684), ("decimals", 1234.4))
    with translation.override("de"):
        written = [Display(name, "CHF")(value) for name, value in formats]
    assert written == ["1.234\xa0CHF", "36,8\xa0%", "36,8\xa0%", "1.234,40"]


def test_the_history_has_the_declared_rankings_that_nobody_watches_too(sales, settings):
    settings.LIVE_HISTORY = True
    fields = {name: SALES[name] for name in ("schema", "relation", "key", "measure", "title")}
    DeclaredRanking.objects.create(slug="top-sales", **fields)
    clock, minute = HistoryClock(), records.floor(datetime.now(UTC))
    clock.keep(minute)
    clock.stop()
    record = Record.objects.get(ranking="top-sales", at=minute)
    assert (record.keys, record.total) == (3, 1254.9)


def test_the_history_of_a_declared_ranking_follows_its_users_in_a_process_that_nobody_asks(sales, settings):
    settings.LIVE_HISTORY = True
    fields = {name: SALES[name] for name in ("schema", "relation", "key", "measure", "title")}
    row = DeclaredRanking.objects.create(slug="top-sales", **fields)
    # Somebody has looked at this process, and nobody looks at it any more.
    RANKINGS[row.slug] = ranking_of(row)
    try:
        minute = records.floor(datetime.now(UTC))
        DeclaredRanking.objects.update(ascending=True)
        HistoryClock().keep(minute)
        assert Record.objects.get(ranking=row.slug, at=minute).pairs[0][0] == "Tea"
        row.delete()
        HistoryClock().keep(minute + records.MINUTE)
        assert not Record.objects.filter(ranking=row.slug).exists()
    finally:
        del RANKINGS[row.slug]

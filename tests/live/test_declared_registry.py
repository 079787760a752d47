"""How a process learns which rankings users have declared."""

from __future__ import annotations

import asyncio
import time

import pytest
from django.db import OperationalError, connections

from live.conf import MAX_LISTENER_RETRY_SECONDS
from live.declared import registry
from live.declared.registry import get_registry, ready
from live.models import DeclaredRanking
from live.rankings import RANKINGS
from live.users.notices import get_notices
from tests.conftest import BOTH
from tests.live.hubs import in_thread, wait_until
from tests.processes import DEADLINE_SECONDS

pytestmark = [BOTH, pytest.mark.usefixtures("user_rankings", "patience")]
SALES = {"schema": "public", "relation": "sales", "key": "product", "measure": "amount"}


def declare(slug: str, title: str = "products") -> None:
    DeclaredRanking.objects.update_or_create(slug=slug, defaults={"title": title, **SALES})


def declare_in_sql(slug: str) -> None:
    """Declare a ranking, and announce it to nobody."""
    DeclaredRanking.objects.bulk_create([DeclaredRanking(slug=slug, title="products", **SALES)])


async def test_the_first_use_waits_for_the_declared_rankings(transactional_db):
    await in_thread(declare)("top-sales")
    await ready()
    assert RANKINGS["top-sales"].title == "products"
    assert list(RANKINGS)[-1] == "top-sales", "those of the code come first"


async def test_a_process_hears_of_what_another_declares_changes_and_deletes(transactional_db, listening):
    await ready()
    told: list[tuple[set[str], list[str]]] = []
    get_registry().on_change = lambda deleted, changed: told.append(
        (set(deleted), [str(ranking.title) for ranking in changed])
    )
    await asyncio.to_thread(listening.get, timeout=DEADLINE_SECONDS)
    await in_thread(declare)("top-sales")
    await wait_until(lambda: told == [(set(), ["products"])])
    await in_thread(declare)("top-sales", "drinks")
    await wait_until(lambda: told[1:] == [(set(), ["drinks"])])
    await in_thread(delete)("top-sales")
    await wait_until(lambda: told[2:] == [({"top-sales"}, [])])
    assert "top-sales" not in RANKINGS


def delete(slug: str) -> None:
    DeclaredRanking.objects.filter(slug=slug).delete()


async def test_a_lost_notice_is_made_up_for_by_the_next_minute(transactional_db, monkeypatch):
    await ready()
    await in_thread(declare_in_sql)("top-sales")
    get_registry().reload_if_due()
    assert "top-sales" not in RANKINGS
    monkeypatch.setattr(get_registry(), "_reload_at", 0.0)
    get_registry().reload_if_due()
    await wait_until(lambda: "top-sales" in RANKINGS)


async def test_after_a_failed_read_the_next_one_is_soon(transactional_db, monkeypatch):
    def fail() -> None:
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(registry, "declared", fail)
        await ready()
        assert get_registry()._reload_at < time.monotonic() + MAX_LISTENER_RETRY_SECONDS
    monkeypatch.setattr(get_registry(), "_reload_at", 0.0)
    await in_thread(declare)("top-sales")
    get_registry().reload_if_due()
    await wait_until(lambda: "top-sales" in RANKINGS and not registry._outage.is_on)


async def test_a_ranking_of_the_code_is_never_replaced(transactional_db, caplog, monkeypatch):
    monkeypatch.setattr(registry, "_logged", set())
    code = RANKINGS["states-by-turnover"]
    await in_thread(declare)("states-by-turnover")
    await ready()
    await ready()
    assert RANKINGS["states-by-turnover"] is code
    (record,) = [record for record in caplog.records if record.name == "live.declared.registry"]
    assert record.getMessage() == (
        "ranking states-by-turnover: a user's is left out, because the code has one of this slug"
    )


async def test_a_process_that_nobody_uses_stops_listening_and_is_up_to_date_when_it_is_used_again(
    transactional_db,
):
    await ready()
    get_registry().rest()
    assert get_notices()._listener is None
    await in_thread(declare)("top-sales")
    await ready()
    assert "top-sales" in RANKINGS


async def test_without_its_table_the_other_rankings_go_on_and_one_line_says_what_to_run(
    transactional_db, caplog, monkeypatch
):
    monkeypatch.setattr(registry, "_logged", set())
    await in_thread(execute)("ALTER TABLE live_declaredranking RENAME TO elsewhere")
    try:
        for _ in range(2):
            await ready()
            get_registry().rest()
    finally:
        await in_thread(execute)("ALTER TABLE elsewhere RENAME TO live_declaredranking")
    assert "states-by-turnover" in RANKINGS
    (record,) = [record for record in caplog.records if record.name == "live.declared.registry"]
    assert record.getMessage().endswith("Run: manage.py migrate live")


def execute(statement: str) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute(statement)

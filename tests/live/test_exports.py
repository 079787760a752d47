"""Exports of whole views: how many run, how long, and what they leave behind."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.test import AsyncClient, Client

from live.conf import MAX_EXPORTS
from live.hub_state import NoDataError
from live.opened import exports
from live.opened.exports import BusyError, Export, StalledError, csv_chunks
from live.rankings import RANKINGS
from tests.conftest import BOTH
from tests.live.hubs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [BOTH, pytest.mark.usefixtures("patience")]
RANKING = RANKINGS["states-by-turnover"]
PATH = f"/rankings/{RANKING.slug}/csv/"


@pytest.fixture(autouse=True)
def none_is_left() -> Iterator[None]:
    """Make sure that each export ends, and frees its place for another."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("export-"):
            thread.join(60)
            assert not thread.is_alive()
    assert exports._slots._value == MAX_EXPORTS


async def test_an_export_comes_in_chunks_of_rows(insert, monkeypatch):
    monkeypatch.setattr(exports, "ROWS_PER_FETCH", 10)
    await insert(*((1, number, 1.0, f"State {number}") for number in range(1, 36)))
    export = Export(RANKING, "en")
    chunks = [chunk async for chunk in export.chunks_async(await export.first())]
    assert len(chunks) == 4
    assert b"".join(chunks).decode("utf-8-sig").count("\r\n") == 36


async def test_an_export_has_no_more_rows_than_the_setting_allows(insert, settings):
    settings.LIVE_EXPORT_ROWS = 3
    await insert(*((1, number, 1.0, f"State {number}") for number in range(1, 9)))
    export = Export(RANKING, "en")
    lines = (await export.first()).decode("utf-8-sig").splitlines()
    assert lines[1:] == ["1,State 8,State 8,8", "2,State 7,State 7,7", "3,State 6,State 6,6"]
    assert await asyncio.to_thread(export.take) is None


def test_an_export_is_streamed_under_wsgi_too(orders, site_environment, monkeypatch):
    monkeypatch.setattr(exports, "ROWS_PER_FETCH", 10)
    orders(*((1, number, 1.0, f"State {number}") for number in range(1, 36)))
    answer: Any = Client().get(PATH)
    assert not answer.is_async
    assert len(list(answer.streaming_content)) == 4


async def test_an_export_that_nobody_reads_any_more_ends(insert, monkeypatch):
    monkeypatch.setattr(exports, "ROWS_PER_FETCH", 1)
    await insert(*((1, number, 1.0, f"State {number}") for number in range(1, 99)))
    export = Export(RANKING, "en")
    chunks = export.chunks_async(await export.first())
    await anext(chunks)
    await chunks.aclose()  # type: ignore[attr-defined]  # as Django does when the client has gone


async def test_an_export_whose_client_takes_nothing_ends_by_itself(insert, monkeypatch, settings):
    settings.LIVE_STALLED_SECONDS = 1
    monkeypatch.setattr(exports, "ROWS_PER_FETCH", 1)
    await insert(*((1, number, 1.0, f"State {number}") for number in range(1, 99)))
    await Export(RANKING, "en").first()


async def test_more_exports_than_may_run_are_told_to_come_again(insert, site_environment):
    await insert((1, 1, 1.0, "Ohio"))
    taken = [exports._slots.acquire(blocking=False) for _ in range(MAX_EXPORTS)]
    try:
        with pytest.raises(BusyError):
            Export(RANKING, "en")
        answer = await AsyncClient().get(PATH)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
    finally:
        exports._slots.release(len(taken))
    answer = await AsyncClient().get(PATH)
    assert answer.status_code == 200
    assert b"Ohio" in b"".join([chunk async for chunk in answer.streaming_content])  # type: ignore[attr-defined]


async def test_an_export_that_fails_is_answered_before_its_first_row(orders, site_environment, monkeypatch):
    monkeypatch.setattr(RANKING.model._meta, "db_table", "nothing")
    with pytest.raises(NoDataError):
        await Export(RANKING, "en").first()
    assert (await AsyncClient().get(PATH)).status_code == 503


async def test_the_event_loop_goes_on_while_an_export_waits(insert, monkeypatch):
    await insert((1, 1, 1.0, "Ohio"))
    goes_on = threading.Event()

    def slow(*args: object) -> Iterator[bytes]:
        assert goes_on.wait(60)
        return csv_chunks(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(exports, "csv_chunks", slow)
    first = asyncio.ensure_future(Export(RANKING, "en").first())
    await wait_until(lambda: not first.done())
    goes_on.set()
    assert b"Ohio" in await first


async def test_a_client_that_comes_back_after_its_export_has_ended_is_told_and_never_waits(
    insert, monkeypatch, settings
):
    settings.LIVE_STALLED_SECONDS = 1
    monkeypatch.setattr(exports, "ROWS_PER_FETCH", 1)
    await insert(*((1, number, 1.0, f"State {number}") for number in range(1, 99)))
    export = Export(RANKING, "en")
    await export.first()
    for thread in threading.enumerate():
        if thread.name == f"export-{RANKING.id}":
            await asyncio.to_thread(thread.join, 60)
    with pytest.raises(StalledError):
        await asyncio.wait_for(asyncio.to_thread(export.take), 60)

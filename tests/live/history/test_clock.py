from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connections

from django_risingwave.models import MaterializedView
from django_risingwave.readable import Relation
from live import hub
from live.feeding.sources import Source
from live.history import clock, recording, records
from live.history.reading import NoHistoryError, board_at
from live.models import Record
from live.rankings import RelationRanking, variants
from tests.conftest import BOTH
from tests.live.history.histories import STATES, keep
from tests.live.hubs import in_thread
from tests.processes import DEADLINE_SECONDS, database_url

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = BOTH


@pytest.fixture(autouse=True)
def history(settings) -> Iterator[None]:
    settings.LIVE_HISTORY = True
    yield
    clock.stop()


@pytest.fixture
def minute() -> datetime:
    return records.floor(datetime.now(UTC))


def filled(minute: datetime) -> set[str]:
    return set(Record.objects.filter(at=minute, rows__isnull=False).values_list("ranking", flat=True))


IDS = {ranking.id for ranking in variants()}


def test_every_ranking_is_recorded_though_nobody_watches(orders, minute):
    orders((1, 2, 10.0, "Ohio"), (2, 1, 5.0, "Utah"))

    clock.HistoryClock().keep(minute)

    assert filled(minute) == IDS
    record = Record.objects.get(ranking=STATES.id, at=minute)
    assert record.pairs == [("Ohio", 20), ("Utah", 5)]
    assert (record.keys, record.total) == (2, 25)
    assert record.milliseconds


def test_how_long_a_read_took_is_known_from_the_next_minute_on_without_a_query(
    orders, minute, monkeypatch, django_assert_num_queries
):
    orders((1, 2, 10.0, "Ohio"))
    the_clock = clock.HistoryClock()
    monkeypatch.setattr(clock, "start", lambda: the_clock)
    assert clock.milliseconds(STATES) is None
    the_clock.keep(minute)
    the_clock.keep(minute + timedelta(minutes=1))
    took = Record.objects.get(ranking=STATES.id, at=minute).milliseconds
    with django_assert_num_queries(0):
        assert clock.milliseconds(STATES) == took


def test_processes_never_read_the_same_minute_of_a_ranking_twice(orders, minute, monkeypatch):
    orders((1, 2, 10.0, "Ohio"))
    reads: SimpleQueue[str] = SimpleQueue()
    read = Source.rows

    def counting(self):
        reads.put(self.ranking.id)
        return read(self)

    monkeypatch.setattr(Source, "rows", counting)
    begin = threading.Barrier(3)

    def run():
        connections["default"].ensure_connection()
        begin.wait()
        clock.HistoryClock().keep(minute)
        connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(reads.get() for _ in range(reads.qsize())) == sorted(IDS)
    assert filled(minute) == IDS


def test_one_ranking_that_fails_leaves_a_gap_and_harms_no_other(orders, minute, monkeypatch, caplog):
    orders((1, 2, 10.0, "Ohio"))
    read = Source.rows

    def failing(self):
        if self.ranking.id == STATES.id:
            raise OperationalError("its view is broken")
        return read(self)

    monkeypatch.setattr(Source, "rows", failing)
    the_clock = clock.HistoryClock()
    the_clock.keep(minute)
    assert filled(minute) == IDS - {STATES.id}
    assert Record.objects.get(ranking=STATES.id, at=minute).rows is None
    monkeypatch.undo()
    the_clock.keep(minute + timedelta(minutes=1))
    assert filled(minute + timedelta(minutes=1)) == IDS
    lines = [record.message for record in caplog.records if record.message.startswith("history of")]
    assert lines[0].startswith(
        f"history of {STATES.id}: can't be recorded (its view is broken); retrying at least every 60 s"
    )
    assert lines[1].startswith(f"history of {STATES.id}: can be recorded again after")


def users_ranking(**changes: Any) -> RelationRanking:
    ranking = RelationRanking(
        slug="mine",
        title="mine",
        model=MaterializedView,  # type: ignore[type-abstract]
        key="state",
        measure="turnover",
        relation=Relation("public", "state_turnover"),
    )
    changed: RelationRanking = replace(ranking, **changes)
    return changed


def test_a_users_ranking_whose_relation_is_gone_leaves_a_gap_and_harms_no_other(orders, minute):
    broken = users_ranking(relation=Relation("public", "gone"))
    found = list(recording.Recorder().record(minute, [broken, *variants()]))
    assert {ranking.id for ranking, _ in found} == filled(minute) == IDS
    assert Record.objects.get(ranking=broken.id).rows is None


def test_a_process_that_is_killed_while_it_reads_leaves_a_gap(orders, minute):
    code = (
        "import django; django.setup()\n"
        "from datetime import datetime\n"
        "from live.feeding.sources import Source\n"
        "from live.history.clock import HistoryClock\n"
        "import sys, time\n"
        "def hang(self):\n"
        "    print('reading', flush=True)\n"
        "    time.sleep(600)\n"
        "Source.rows = hang\n"
        f"HistoryClock().keep(datetime.fromisoformat({minute.isoformat()!r}))\n"
    )
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": database_url(connections["default"]),
        "RISINGWAVE_URL": database_url(connections["risingwave"]),
    }
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        process.send_signal(signal.SIGKILL)
    orders((1, 2, 10.0, "Ohio"))
    clock.HistoryClock().keep(minute)
    assert len(filled(minute)) == len(IDS) - 1
    assert Record.objects.filter(at=minute, rows__isnull=True).count() == 1


def test_a_lost_database_of_rankings_costs_one_claim_and_one_log_line(minute, monkeypatch, caplog):
    def lost(*_args):
        raise OperationalError("connection refused")

    monkeypatch.setattr(recording, "open_session", lost)
    the_clock = clock.HistoryClock()
    assert the_clock._attempt(minute) >= 0
    the_clock._attempt(minute)
    assert Record.objects.count() == 2
    lines = [record.message for record in caplog.records if record.message.startswith("history")]
    assert lines == ["history: can't be kept (connection refused); retrying at least every 60 s"]
    monkeypatch.undo()
    the_clock._attempt(minute)
    assert "history: can be kept again after" in caplog.text


def test_a_missing_table_is_one_log_line_with_the_command_that_creates_it(minute, caplog):
    with connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE live_record RENAME TO elsewhere")
    try:
        the_clock = clock.HistoryClock()
        assert 0 <= the_clock._attempt(minute) <= 60
        the_clock._attempt(minute)
    finally:
        with connections["default"].cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO live_record")
    (line,) = [record.message for record in caplog.records if record.name == clock.__name__]
    assert line == (
        'history: isn\'t kept (relation "live_record" does not exist).'
        " Run: manage.py migrate --database default"
    )


def test_before_the_migration_of_live_one_log_line_has_the_command(minute, caplog, settings):
    settings.LIVE_USER_RANKINGS = True
    with connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE live_declaredranking RENAME TO elsewhere")
    try:
        clock.HistoryClock()._attempt(minute)
    finally:
        with connections["default"].cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO live_declaredranking")
    (line,) = [record.message for record in caplog.records if record.name == clock.__name__]
    assert line == (
        'history: isn\'t kept (relation "live_declaredranking" does not exist).'
        " Run: manage.py migrate --database default"
    )


async def test_before_the_migration_of_live_an_earlier_moment_is_refused(minute, settings):
    settings.LIVE_HISTORY = True

    def rename(old: str, new: str) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")

    await sync_to_async(rename)("live_record", "elsewhere")
    try:
        with pytest.raises(NoHistoryError, match="No history is kept here"):
            await board_at(variants(), minute)
    finally:
        await sync_to_async(rename)("elsewhere", "live_record")


def test_the_thread_survives_every_exception(orders, monkeypatch, caplog):
    caplog.set_level(logging.ERROR)
    attempts: SimpleQueue[bool] = SimpleQueue()

    def broken(_self, _now):
        attempts.put(True)
        raise LookupError("a mistake")

    monkeypatch.setattr(clock, "RETRY_HISTORY_SECONDS", 0.01)
    monkeypatch.setattr(clock.HistoryClock, "_attempt", broken)
    the_clock = clock.start()
    assert attempts.get(timeout=DEADLINE_SECONDS)
    assert attempts.get(timeout=DEADLINE_SECONDS)
    assert the_clock is not None
    assert the_clock.is_alive()


def test_a_process_has_one_clock_and_a_project_may_have_none(settings, orders):
    first = clock.start()
    assert clock.start() is first
    assert first is not None
    assert first.name == "history"
    assert first.daemon
    clock.stop()
    settings.LIVE_HISTORY = False
    assert clock.start() is None


async def test_movement_is_there_with_the_first_snapshot_after_a_restart(insert, the_hub_with_history):
    the_hub = the_hub_with_history
    await insert((1, 2, 10.0, "Ohio"))
    (snapshot,) = await the_hub.current([STATES])
    assert [row.movement for row in snapshot.rows()] == [1]
    assert the_hub.sparklines[STATES.id].rows


@pytest.fixture
async def the_hub_with_history(orders, patience):
    def past():
        minute = records.floor(datetime.now(UTC))
        keep(minute - timedelta(minutes=5), [("Utah", 3.0), ("Ohio", 2.0)])

    await in_thread(past)()
    known = asyncio.Event()
    loop = asyncio.get_running_loop()

    def follower(*_known: object) -> None:
        loop.call_soon_threadsafe(known.set)

    clock.follow(follower)
    await asyncio.wait_for(known.wait(), DEADLINE_SECONDS)
    the_hub = hub.get_hub()
    yield the_hub
    await asyncio.to_thread(clock.stop)
    the_hub._clock.stop()
    if the_hub._feed is not None:
        the_hub._feed.stop()
        await asyncio.to_thread(the_hub._feed.join, 60)


def test_a_follower_whose_event_loop_is_closed_is_told_no_more(orders, minute):
    calls = []

    def closed(*_known):
        calls.append(True)
        raise RuntimeError("Event loop is closed")

    the_clock = clock.HistoryClock()
    the_clock.follow(closed)
    the_clock.keep(minute)
    the_clock.keep(minute)
    assert calls == [True]

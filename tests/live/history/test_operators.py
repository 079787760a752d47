"""What operators see of the history: metrics, the doctor, the check of the database, and outages."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.db import connections
from prometheus_client import REGISTRY

from benchmarks.ports import free_port
from live import outages
from live.database_checks import check_history as check_table
from live.history import clock, records
from live.operators.doctor.history import check_history
from tests.conftest import BOTH
from tests.live.history.histories import keep
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = BOTH


@pytest.fixture(autouse=True)
def history(settings) -> Iterator[None]:
    settings.LIVE_HISTORY = True
    yield
    clock.stop()


def findings() -> list[tuple[str, str]]:
    return [(str(one.level), one.text) for one in check_history("history")]


def test_the_doctor_says_when_the_history_was_last_recorded(settings):
    assert findings() == [("advice", "nothing has been recorded yet")]
    keep(datetime.now(UTC) - timedelta(minutes=20), [("Ohio", 1.0)])
    assert findings() == [("advice", "was last recorded 20 min ago")]
    keep(datetime.now(UTC) - timedelta(seconds=90), [("Ohio", 1.0)])
    assert findings() == [("ok", "was last recorded 1 min ago")]
    settings.LIVE_HISTORY = False
    assert findings() == [("ok", "isn't kept, as LIVE_HISTORY says")]


def test_the_doctor_names_the_privileges_that_are_missing():
    with connections["default"].cursor() as cursor:
        cursor.execute("CREATE ROLE reader")
        cursor.execute("GRANT SELECT ON live_record TO reader")
        cursor.execute("SET ROLE reader")
        try:
            found = findings()
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP OWNED BY reader")
            cursor.execute("DROP ROLE reader")
    assert found == [("problem", "can't be kept: the user may not INSERT, UPDATE, DELETE in live_record")]


def test_the_check_of_the_database_names_the_missing_table_and_the_command(settings):
    assert check_table(["default"]) == []
    with connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE live_record RENAME TO elsewhere")
    try:
        (warning,) = check_table(["default", "risingwave"])
        assert check_table(None) == check_table(["risingwave"]) == []
        settings.LIVE_HISTORY = False
        assert check_table(["default"]) == []
    finally:
        with connections["default"].cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO live_record")
    assert warning.id == "live.W004"
    assert warning.hint == "Run: manage.py migrate --database default. Or set LIVE_HISTORY = False."


def test_metrics_count_records_and_tell_the_age_of_the_newest(orders, monkeypatch):
    name = {"ranking": "states-by-turnover"}
    before = REGISTRY.get_sample_value("live_history_records_total", name) or 0
    minute = records.floor(datetime.now(UTC))
    keep(minute - timedelta(minutes=10), [("Ohio", 1.0)])
    the_clock = clock.HistoryClock()
    monkeypatch.setattr(clock, "running", lambda: the_clock)
    the_clock.keep(minute)
    assert REGISTRY.get_sample_value("live_history_records_total", name) == before + 1
    age = REGISTRY.get_sample_value("live_history_age_seconds")
    assert age is not None
    assert 600 <= age < 720


def is_lost() -> bool:
    """Return whether the history can't be kept. Rankings of other tests may still count as lost."""
    return "history" in [outage.name for outage in outages.current()]


def test_a_lost_database_of_users_is_an_outage_and_no_flood(settings, caplog, monkeypatch):
    monkeypatch.setattr(clock, "RETRY_HISTORY_SECONDS", 0.0)
    lost = connections["default"].copy()
    lost.settings_dict = lost.settings_dict | {"HOST": "127.0.0.1", "PORT": str(free_port())}
    monkeypatch.setattr(records, "connection", lambda: lost)
    the_clock = clock.HistoryClock()
    for _ in range(5):
        the_clock._attempt(datetime.now(UTC))
    assert is_lost()
    monkeypatch.undo()
    the_clock._attempt(datetime.now(UTC))
    assert not is_lost()
    lines = [record.message for record in caplog.records if record.message.startswith("history: ")]
    assert [line.partition(" (")[0].partition(" after")[0] for line in lines] == [
        "history: can't be kept",
        "history: can be kept again",
    ]


def test_a_database_of_users_that_hangs_ends_no_thread_and_is_tried_again(settings, caplog):
    settings.LIVE_QUERY_TIMEOUT_SECONDS = 0.2
    the_clock = clock.HistoryClock()
    with closing(connections["default"].copy()) as other:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("LOCK TABLE live_record IN ACCESS EXCLUSIVE MODE")
        the_clock_thread = threading.Thread(target=the_clock._attempt, args=[datetime.now(UTC)])
        the_clock_thread.start()
        the_clock_thread.join(DEADLINE_SECONDS)
        assert not the_clock_thread.is_alive()
        assert is_lost()
        other.rollback()
    settings.LIVE_QUERY_TIMEOUT_SECONDS = 60
    the_clock._attempt(datetime.now(UTC))
    assert not is_lost()


def test_no_migration_is_missing():
    call_command("makemigrations", "live", check=True, dry_run=True, verbosity=0)

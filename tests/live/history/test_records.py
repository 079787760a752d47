from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connections

from live.history import records
from live.models import Record
from tests.live.history.histories import NOW, STATES, ago, keep

ROWS = [("Ohio", 1.0)]


def kept() -> set[datetime]:
    return set(Record.objects.values_list("at", flat=True))


@pytest.mark.django_db(transaction=True)
def test_one_of_many_processes_gets_a_minute():
    begin, winners = Barrier(8), []

    def run():
        connections["default"].ensure_connection()
        begin.wait()
        if records.claim(STATES, NOW):
            winners.append(True)
        connections.close_all()

    threads = [Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert winners == [True]
    assert Record.objects.get().rows is None


@pytest.mark.django_db
def test_a_record_takes_no_more_space_than_its_text_and_is_read_as_it_was():
    rows = [("Zürich", 1.5), (None, None), (3, 1e20), ("2026-11-27", 0)]
    keep(NOW, rows)
    keep(ago(minutes=1), None)
    assert [record.pairs for record in Record.objects.order_by("-at")] == [rows, []]
    assert Record.objects.filter(rows__isnull=True).count() == 1
    with records.cursor() as cursor:
        cursor.execute("SELECT pg_typeof(rows)::text, rows::text FROM live_record WHERE rows IS NOT NULL")
        assert cursor.fetchone() == ("json", '["Zürich",1.5,null,null,3,1e+20,"2026-11-27",0]')


@pytest.mark.django_db
class TestThinning:
    def test_the_last_day_stays_whole(self):
        moments = {ago(minutes=minutes) for minutes in range(0, 24 * 60, 7)}
        for moment in moments:
            keep(moment, ROWS)
        assert records.thin(NOW) == 0
        assert kept() == moments

    def test_older_than_a_day_the_first_record_of_each_quarter_of_an_hour_stays(self):
        two_days_ago = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
        for minute in range(45):
            keep(two_days_ago + timedelta(minutes=minute), ROWS if minute not in (0, 15, 16) else None)
        records.thin(NOW)
        assert kept() == {two_days_ago + timedelta(minutes=minute) for minute in (1, 17, 30)}

    def test_each_ranking_keeps_its_own(self):
        at = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
        keep(at, ROWS, "a")
        keep(at + timedelta(minutes=1), ROWS, "b")
        keep(at + timedelta(minutes=2), ROWS, "b")
        records.thin(NOW)
        assert set(Record.objects.values_list("ranking", "at")) == {
            ("a", at),
            ("b", at + timedelta(minutes=1)),
        }

    def test_what_is_older_than_thirty_days_is_deleted(self):
        keep(ago(days=30, minutes=1), ROWS)
        keep(ago(days=29), ROWS)
        assert records.thin(NOW) == 1
        assert kept() == {ago(days=29)}

    def test_the_settings_say_how_long(self, settings):
        settings.LIVE_HISTORY_DAYS, settings.LIVE_HISTORY_QUARTER_DAYS = 3, 4
        at = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
        moments = {at, at + timedelta(minutes=1)}
        for moment in moments:
            keep(moment, ROWS)
        keep(ago(days=5), ROWS)
        records.thin(NOW)
        assert kept() == moments

    def test_more_rows_than_one_statement_deletes_are_deleted(self, monkeypatch):
        monkeypatch.setattr(records, "ROWS_PER_DELETE", 2)
        for days in range(31, 36):
            keep(ago(days=days), ROWS)
        assert records.thin(NOW) == 5

    def test_after_the_first_time_only_what_has_become_old_is_looked_at(self):
        at = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
        for minute in range(40):
            keep(at + timedelta(minutes=minute), ROWS)
        later = NOW + timedelta(minutes=30)
        records.thin(NOW)
        assert len(kept()) == 40
        records.thin(later, NOW)
        assert kept() == {at, at + timedelta(minutes=15)} | {at + timedelta(minutes=m) for m in range(30, 40)}

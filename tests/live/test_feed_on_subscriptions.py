"""The feed on a double of RisingWave: which reads subscriptions save, and which losses they survive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from django_risingwave.base import DatabaseWrapper
from django_risingwave.testing.double.errors import refusal
from django_risingwave.testing.double.messages import fields
from django_risingwave.testing.double.subscriptions import Subscriptions
from django_risingwave.testing.servers import doubled
from live import feed, outages, watching
from live.leading import leading_name
from live.migration_operations import CreateLeadingRows
from live.rankings import RANKINGS
from tests.conftest import BOTH
from tests.django_risingwave.streaming.double_events import notify
from tests.live.hubs import ALL, ITEMS, STATES, Recorder, in_thread, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.testing.double import Double, Session

pytestmark = BOTH
VIEWS = {leading_name(slug) for slug in RANKINGS}


@pytest.fixture(autouse=True)
def double(orders, settings, one_session) -> Iterator[Double]:
    """A double of RisingWave with a subscription to the leading rows of each ranking."""
    settings.LIVE_SERVER_CHECK_SECONDS = 0.05
    connection = connections["risingwave"]
    assert isinstance(connection, DatabaseWrapper)
    if connection.is_risingwave:
        pytest.skip("needs a double in front of the stand-in")
    subscriptions = [
        operation.subscription
        for migration in MigrationLoader(None).disk_migrations.values()
        for operation in migration.operations
        if isinstance(operation, CreateLeadingRows)
    ]
    with doubled(connection.alias) as double:
        with connection.schema_editor() as editor:
            for subscription in subscriptions:
                editor.create_streaming_object(subscription)
        connection.close()
        assert set(double.subscriptions.values()) >= VIEWS
        yield double


def selects(double: Double) -> list[str]:
    """Return the queries on the leading rows."""
    return [
        sql
        for sql in list(double.statements)
        if sql.startswith("SELECT") and any(f'FROM "{view}"' in sql for view in VIEWS)
    ]


def fetches(double: Double) -> int:
    return sum(sql.startswith("FETCH") for sql in list(double.statements))


def sessions(double: Double) -> list[Session]:
    """Return the open sessions."""
    return [session for session in double.sessions if session.is_open]


async def quiet(the_hub, double: Double) -> None:
    """Wait until each cursor has fetched nothing twice and the server has been checked."""
    before, checked_at = fetches(double), the_hub.checked_at[STATES.slug]
    await wait_until(lambda: fetches(double) >= before + 2 * len(VIEWS))
    await wait_until(lambda: the_hub.checked_at[STATES.slug] > checked_at)


async def watched(the_hub) -> Recorder:
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    the_hub.subscribe(Recorder(), ALL)
    await recorder.next()
    await wait_until(lambda: the_hub._feed.up_to_date == set(RANKINGS))
    return recorder


async def test_no_view_is_queried_while_nothing_changes(the_hub, double):
    recorder = await watched(the_hub)
    assert recorder.snapshots.empty()
    before = selects(double)
    assert len(before) == len(RANKINGS)
    await quiet(the_hub, double)
    for _ in range(10):
        await the_hub.current([STATES, ITEMS])
    assert selects(double) == before


async def test_only_the_view_that_changed_is_read_and_only_once(the_hub, double):
    await watched(the_hub)
    await quiet(the_hub, double)
    before = selects(double)
    view = leading_name(STATES.slug)

    await in_thread(notify)(view)
    await wait_until(lambda: len(selects(double)) > len(before))
    await quiet(the_hub, double)
    (read,) = selects(double)[len(before) :]
    assert f'FROM "{view}"' in read


async def test_each_change_is_delivered(the_hub, insert, double):
    recorder = await watched(the_hub)
    for n in (1, 2, 3):
        await insert((1, 1, 1.0, "Ohio"))
        await recorder.next_with((("Ohio", float(n)),))


async def test_no_change_is_missed_when_the_server_is_lost(the_hub, insert, double, caplog):
    recorder = await watched(the_hub)
    double.drop(lambda session: True)
    await insert((1, 1, 1.0, "Ohio"))
    await recorder.next_with((("Ohio", 1.0),))
    await wait_until(lambda: "can be read again" in caplog.text)
    await insert((1, 1, 1.0, "Ohio"))
    await recorder.next_with((("Ohio", 2.0),))


async def test_no_change_is_missed_when_a_subscriptions_connection_is_lost(the_hub, insert, double, caplog):
    recorder = await watched(the_hub)
    await quiet(the_hub, double)
    double.drop(lambda session: session.cursors)
    await insert((1, 1, 1.0, "Ohio"))
    await recorder.next_with((("Ohio", 1.0),))
    await insert((1, 1, 1.0, "Ohio"))
    await recorder.next_with((("Ohio", 2.0),))
    assert "can't be read" not in caplog.text


async def test_no_change_is_missed_when_the_cursors_expire(the_hub, insert, double, caplog):
    recorder = await watched(the_hub)
    await quiet(the_hub, double)
    before = len(selects(double))
    double.expire_cursors()
    await wait_until(lambda: len(selects(double)) >= before + len(VIEWS))
    await insert((1, 1, 1.0, "Ohio"))
    await recorder.next_with((("Ohio", 1.0),))
    assert "can't be read" not in caplog.text


async def test_a_ranking_whose_subscription_is_missing_is_polled_and_the_others_are_not(
    the_hub, insert, double, settings, reads
):
    settings.LIVE_REFRESH_SECONDS = 0.02
    del double.subscriptions[f"{leading_name(ITEMS.slug)}_changes"]
    recorder = Recorder()
    the_hub.subscribe(recorder, [ITEMS])
    the_hub.subscribe(Recorder(), ALL)
    await wait_until(lambda: the_hub._feed.up_to_date == set(RANKINGS) - {ITEMS.slug})
    before = dict(reads)
    await wait_until(lambda: reads[ITEMS.slug] > before[ITEMS.slug] + 3)
    assert reads == before | {ITEMS.slug: reads[ITEMS.slug]}
    await insert((1, 1, 1.0, "Ohio"))
    await recorder.next_with(((1, 1.0),))
    await wait_until(lambda: reads[STATES.slug] > before[STATES.slug])


async def test_without_any_subscription_all_rankings_are_polled(the_hub, insert, double, settings):
    settings.LIVE_REFRESH_SECONDS = 0.1
    double.subscriptions.clear()
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await insert((1, 1, 1.0, "Ohio"))
    await recorder.next_with((("Ohio", 1.0),))
    assert not the_hub._feed.up_to_date
    assert not any(session.cursors for session in sessions(double))


async def test_a_subscription_that_is_dropped_leaves_its_ranking_polled_and_the_others_heard(
    the_hub, insert, double, settings
):
    settings.LIVE_REFRESH_SECONDS = 0.02
    recorder = await watched(the_hub)
    del double.subscriptions[f"{leading_name(STATES.slug)}_changes"]
    await wait_until(lambda: the_hub._feed.up_to_date == set(RANKINGS) - {STATES.slug})
    await insert((1, 1, 1.0, "Ohio"))
    await recorder.next_with((("Ohio", 1.0),))


async def test_a_subscription_that_fails_leaves_its_ranking_polled_and_the_others_heard(
    the_hub, insert, monkeypatch, caplog, settings, reads
):
    caplog.set_level("INFO", logger="live.outages")
    settings.LIVE_REFRESH_SECONDS = 0.02
    fetch, broken = Subscriptions._fetch, leading_name(ITEMS.slug)

    def failing(self: Subscriptions, size: str, name: str, timeout: str | None) -> str | bytes | None:
        if name in self.cursors and self.cursors[name].view == broken:
            return fields(b"E", refusal("out of order"))
        return fetch(self, size, name, timeout)

    monkeypatch.setattr(Subscriptions, "_fetch", failing)
    recorder = Recorder()
    the_hub.subscribe(recorder, list(RANKINGS.values()))
    assert {(await recorder.next()).ranking.slug for _ in RANKINGS} == set(RANKINGS)
    # All may have changed while the session with the cursors was opened again, and are read once more.
    await wait_until(lambda: min(reads.values()) >= 2)
    await wait_until(lambda: the_hub._feed.up_to_date == set(RANKINGS) - {ITEMS.slug})
    before = dict(reads)
    await wait_until(lambda: reads[ITEMS.slug] > before[ITEMS.slug] + 3)
    assert reads == before | {ITEMS.slug: reads[ITEMS.slug]}
    await insert((1, 1, 1.0, "Ohio"))
    missing = set(RANKINGS)
    while missing:  # A ranking may come twice: once more with its new totals.
        missing.discard((await recorder.next()).ranking.slug)
    assert f"subscription to {broken}: can't be polled (" in caplog.text
    assert "rankings: can't be read" not in caplog.text
    assert the_hub.faults == {}
    monkeypatch.setattr(Subscriptions, "_fetch", fetch)
    monkeypatch.setattr(feed, "RETRY_SUBSCRIPTION_SECONDS", 0.0)
    await wait_until(lambda: the_hub._feed.up_to_date == set(RANKINGS))
    await wait_until(lambda: f"subscription to {broken}: can be polled again" in caplog.text)


async def test_the_outage_of_a_subscription_ends_with_the_last_viewer_of_its_ranking(
    the_hub, monkeypatch, settings
):
    settings.LIVE_REFRESH_SECONDS = 0.02
    fetch, broken = Subscriptions._fetch, leading_name(ITEMS.slug)

    def failing(self: Subscriptions, size: str, name: str, timeout: str | None) -> str | bytes | None:
        if name in self.cursors and self.cursors[name].view == broken:
            return fields(b"E", refusal("out of order"))
        return fetch(self, size, name, timeout)

    def is_lost() -> bool:
        return f"subscription to {broken}" in {outage.name for outage in outages.current()}

    monkeypatch.setattr(Subscriptions, "_fetch", failing)
    the_hub.subscribe(Recorder(), [STATES])
    viewer = Recorder()
    the_hub.subscribe(viewer, [ITEMS])
    await wait_until(is_lost)
    monkeypatch.setattr(watching, "UNWATCHED_SECONDS", 0.0)
    the_hub.unsubscribe(viewer)
    await wait_until(lambda: not is_lost())


async def test_changes_that_are_told_in_different_rounds_are_each_read_at_once(
    the_hub, double, settings, reads
):
    settings.LIVE_UPDATE_SECONDS = 0.0
    await watched(the_hub)
    # From now on, a ranking that is read isn't read again.
    settings.LIVE_UPDATE_SECONDS = 3600.0
    before = dict(reads)
    for number, ranking in enumerate(RANKINGS.values(), start=1):
        await in_thread(notify)(leading_name(ranking.slug))
        await wait_until(lambda: sum(reads.values()) == sum(before.values()) + number)  # noqa: B023
        assert reads[ranking.slug] == before[ranking.slug] + 1


async def test_the_feed_has_one_session_for_hearing_and_one_for_reading_and_leaves_none(
    the_hub, double, settings
):
    await watched(the_hub)
    assert sorted(len(session.cursors) for session in sessions(double)) == [0, len(VIEWS)]
    settings.LIVE_IDLE_SECONDS = 0.0
    for subscriber in the_hub._subscribers:
        the_hub.unsubscribe(subscriber)
    await wait_until(lambda: not sessions(double))


async def test_only_watched_rankings_have_a_cursor_and_another_is_added_to_the_same_session(the_hub, double):
    recorder = Recorder()
    the_hub.subscribe(recorder, [STATES])
    await recorder.next()
    (hearing,) = [session for session in sessions(double) if session.cursors]
    assert {cursor.view for cursor in hearing.cursors.values()} == {leading_name(STATES.id)}
    await the_hub.current([ITEMS])
    assert [session for session in sessions(double) if session.cursors] == [hearing]
    assert {cursor.view for cursor in hearing.cursors.values()} == {
        leading_name(STATES.id),
        leading_name(ITEMS.id),
    }

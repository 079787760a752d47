"""A ranking that can't be read harms itself only: what its viewers are told, on a real stand-in."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from django.db import DatabaseError, OperationalError, ProgrammingError, connections

from live.faults import reason_for
from live.feeding import ranking_reads
from live.feeding.sources import Source
from live.rankings import RANKINGS
from tests.conftest import BOTH
from tests.live.hubs import ALL, ITEMS, STATES, Recorder, in_thread, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from live.hub import Hub
    from live.snapshots import Values

pytestmark = BOTH
VIEW = "states_by_turnover_leading"


@contextmanager
def session() -> Iterator[Any]:
    """A cursor of another session of the stand-in, in a transaction."""
    parameters = connections["risingwave"].get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    known = {name: parameters[name] for name in names if parameters.get(name)}
    connection = psycopg2.connect(**known)
    try:
        with connection.cursor() as cursor:
            yield cursor
        connection.commit()
    finally:
        connection.close()


@pytest.fixture
async def watched(the_hub: Hub, insert, caplog) -> Recorder:
    """A subscriber of the products, while the states are watched too."""
    caplog.set_level("INFO", logger="live.outages")
    await insert((1, 1, 1.0, "Ohio"))
    recorder = Recorder()
    the_hub.subscribe(recorder, [ITEMS])
    await the_hub.current(ALL)
    await wait_until(lambda: set(the_hub.snapshots) == set(RANKINGS))
    return recorder


async def is_delivered(recorder: Recorder, insert, quantity: int) -> None:
    """Make sure that a change of the products is delivered."""
    while not recorder.snapshots.empty():
        recorder.snapshots.get_nowait()
    await insert((2, quantity, 0.0, "Ohio"))
    while (2, float(quantity)) not in (await recorder.next()).values:
        pass


async def test_a_locked_view_delays_no_other_ranking_and_is_named(the_hub, watched, settings, caplog):
    settings.LIVE_QUERY_TIMEOUT_SECONDS = 1.0
    last = the_hub.snapshots[STATES.slug]
    over = threading.Event()

    def lock() -> None:
        with session() as cursor:
            cursor.execute(f"LOCK TABLE {VIEW} IN ACCESS EXCLUSIVE MODE")
            locked.set()
            over.wait(60)

    locked = threading.Event()
    locking = asyncio.ensure_future(in_thread(lock)())
    try:
        await asyncio.to_thread(locked.wait, 60)
        the_hub._feed.request_read()
        await wait_until(lambda: STATES.slug in the_hub.faults)
        assert the_hub.faults[STATES.slug].reason == "its view doesn't answer within 1 s"
        # The stand-in reads the view when an order is inserted, so nothing changes meanwhile.
        checked_at = the_hub.checked_at[ITEMS.slug]
        the_hub._feed.request_read()
        await wait_until(lambda: the_hub.checked_at[ITEMS.slug] > checked_at)
        assert set(the_hub.faults) == {STATES.slug}
        assert the_hub.snapshots[STATES.slug] is last
        # A request for it gets the last rows at once.
        assert (await the_hub.current([STATES])) == [last]
    finally:
        over.set()
        await locking
    await wait_until(lambda: not the_hub.faults)
    lines = [line for line in caplog.messages if "can't be read" in line]
    assert len(lines) == 1
    assert lines[0].startswith("ranking states-by-turnover: can't be read (")


async def test_subscribers_are_told_at_once_when_a_fault_begins_and_ends(
    the_hub, watched, monkeypatch, settings
):
    settings.LIVE_PING_SECONDS = 3600.0
    rows = Source.rows

    def failing(self: Source) -> Values:
        if self.ranking is STATES:
            raise ProgrammingError("Permission denied: SELECT on the view secret_name")
        return rows(self)

    while not watched.pings.empty():
        watched.pings.get_nowait()
    monkeypatch.setattr(Source, "rows", failing)
    the_hub._feed.request_read()
    # The first tick of the clock sends one, too.
    while STATES.slug not in (ping := await asyncio.wait_for(watched.pings.get(), 60)).faults:
        pass
    fault = ping.faults[STATES.slug]
    assert fault.reason == "this site may not read its view"
    monkeypatch.setattr(Source, "rows", rows)
    while ping.faults:
        ping = await asyncio.wait_for(watched.pings.get(), 60)


def drop(cursor: Any) -> None:
    cursor.execute("ALTER VIEW states_by_turnover_leading RENAME TO away_leading")
    cursor.execute("ALTER VIEW state_turnover RENAME TO away")


def put_back(cursor: Any) -> None:
    cursor.execute("ALTER VIEW away RENAME TO state_turnover")
    cursor.execute("ALTER VIEW away_leading RENAME TO states_by_turnover_leading")


async def test_a_view_that_is_gone_is_named_until_it_is_there_again(the_hub, watched, insert):
    def run(change: Any) -> None:
        with session() as cursor:
            change(cursor)

    await in_thread(run)(drop)
    try:
        the_hub._feed.request_read()
        await wait_until(lambda: STATES.slug in the_hub.faults)
        assert the_hub.faults[STATES.slug].reason == "its view doesn't exist"
        await is_delivered(watched, insert, 7)
    finally:
        await in_thread(run)(put_back)
    await wait_until(lambda: not the_hub.faults)
    await insert((1, 1, 41.0, "Guam"))
    await wait_until(lambda: ("Guam", 41.0) in the_hub.snapshots[STATES.slug].values)


@pytest.fixture
def granted(orders) -> Iterator[Callable[[str], None]]:
    """Sessions of a user who may only read what is granted; call it with a GRANT or REVOKE to run."""

    def run(sql: str) -> None:
        with session() as cursor:
            cursor.execute(sql)

    run("CREATE ROLE reader")
    run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    options = connections["risingwave"].settings_dict["OPTIONS"]
    before = options.pop("options", None)
    options["options"] = "-c role=reader"
    yield run
    del options["options"]
    if before is not None:
        options["options"] = before
    run("DROP OWNED BY reader")
    run("DROP ROLE reader")


async def test_a_grant_that_is_revoked_harms_its_ranking_only(granted, the_hub, caplog):
    async def insert(*rows: tuple[int, int, float, str]) -> None:
        for row in rows:
            values = ", ".join(map(repr, row))
            await in_thread(granted)(f"INSERT INTO orders (itemid, qty, price, state) VALUES ({values})")

    caplog.set_level("INFO", logger="live.outages")
    recorder = Recorder()
    the_hub.subscribe(recorder, ALL)
    await wait_until(lambda: set(the_hub.snapshots) == set(RANKINGS))
    # Without the leading rows and the totals, the view itself is read.
    await in_thread(granted)(
        "REVOKE SELECT ON states_by_turnover_leading, states_by_turnover_totals FROM reader"
    )
    await insert((1, 1, 3.0, "Guam"))
    await wait_until(lambda: the_hub.snapshots[STATES.slug].values == (("Guam", 3.0),))
    assert the_hub.faults == {}
    await in_thread(granted)("REVOKE SELECT ON state_turnover FROM reader")
    the_hub._feed.request_read()
    await wait_until(lambda: STATES.slug in the_hub.faults)
    assert the_hub.faults[STATES.slug].reason == "this site may not read its view"
    await is_delivered(recorder, insert, 7)
    assert set(the_hub.faults) == {STATES.slug}
    await in_thread(granted)("GRANT SELECT ON state_turnover TO reader")
    await wait_until(lambda: not the_hub.faults)
    assert caplog.text.count("ranking states-by-turnover: can't be read (permission denied") == 1
    assert "rankings: can't be read" not in caplog.text


@pytest.mark.parametrize("error", [ZeroDivisionError, OverflowError, RuntimeError])
@pytest.mark.parametrize("function", ["name", "display"])
async def test_a_function_of_a_ranking_that_raises_harms_its_ranking_only(
    the_hub, insert, monkeypatch, error, function, caplog
):
    def broken(value: object) -> str:
        raise error("broken")

    changes: dict[str, Any] = {function: broken}
    ranking = replace(STATES, **changes)
    monkeypatch.setitem(RANKINGS, STATES.slug, ranking)
    await insert((1, 1, 1.0, "Ohio"))
    recorder = Recorder()
    the_hub.subscribe(recorder, [ranking, ITEMS])
    assert (await recorder.next()).ranking is ITEMS
    await wait_until(lambda: STATES.slug in the_hub.faults)
    assert the_hub.faults[STATES.slug].reason == "it has a value that can't be shown"
    await is_delivered(recorder, insert, 7)
    assert caplog.text.count("Traceback") == 1


async def test_a_ranking_that_is_only_slow_has_no_fault_and_is_read_with_a_session_of_its_own(
    the_hub, watched, insert, monkeypatch
):
    monkeypatch.setattr(ranking_reads, "SHARED_READ_SECONDS", 0.0)
    rows, sessions = Source.rows, set()

    def slow(self: Source) -> Values:
        if self.ranking is STATES:
            if threading.current_thread().name == "rankings-feed":
                raise OperationalError("canceling statement due to statement timeout")
            sessions.add(connections["risingwave"].connection)
        return rows(self)

    monkeypatch.setattr(Source, "rows", slow)
    for n in range(2, 5):
        await insert((1, 1, 1.0, "Ohio"))
        await wait_until(lambda: the_hub.snapshots[STATES.slug].values == (("Ohio", float(n)),))  # noqa: B023
    assert the_hub.faults == {}
    assert the_hub._feed.apart == {STATES.slug}
    assert len(sessions) == 1
    await is_delivered(watched, insert, 7)


async def test_no_more_rankings_than_the_maximum_are_read_with_sessions_of_their_own(
    the_hub, watched, monkeypatch
):
    monkeypatch.setattr("live.feeding.own_sessions.MAX_OWN_SESSIONS", 1)
    rows, running, most = Source.rows, [], []

    def failing(self: Source) -> Values:
        if threading.current_thread().name == "rankings-feed":
            raise DatabaseError("broken")
        running.append(self)
        most.append(len(running))
        try:
            raise DatabaseError("broken")
        finally:
            running.remove(self)

    monkeypatch.setattr(Source, "rows", failing)
    the_hub._feed.request_read()
    await wait_until(lambda: set(the_hub.faults) == set(RANKINGS))
    assert max(most) == 1
    monkeypatch.setattr(Source, "rows", rows)
    await wait_until(lambda: not the_hub.faults)


async def test_a_lost_server_is_one_outage_and_no_fault(the_hub, watched, insert, caplog):
    pid = the_hub._feed._session.connection.info.backend_pid

    def terminate() -> None:
        with session() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

    await in_thread(terminate)()
    await wait_until(lambda: "rankings: can be read again" in caplog.text)
    await is_delivered(watched, insert, 7)
    assert the_hub.faults == {}
    assert "ranking " not in caplog.text


def error_of_the_driver(code: str) -> DatabaseError:
    class DriverError(Exception):
        sqlstate = code

    error = DatabaseError('relation "secret" of host db.example.com')
    error.__cause__ = DriverError()
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (error_of_the_driver("42P01"), "its view doesn't exist"),
        (ProgrammingError("Catalog error: table or source not found: secret"), "its view doesn't exist"),
        (error_of_the_driver("42501"), "this site may not read its view"),
        (ProgrammingError("Permission denied: secret"), "this site may not read its view"),
        (error_of_the_driver("57014"), "its view doesn't answer within 5 s"),
        (OperationalError("Query cancelled: timeout after 1 seconds"), "its view doesn't answer within 5 s"),
        (TimeoutError("no answer within 6 s"), "its view doesn't answer within 5 s"),
        (OverflowError("secret"), "it has a value that can't be shown"),
        (error_of_the_driver("XX000"), "it can't be read"),
    ],
)
def test_the_reason_of_a_fault_is_for_viewers_and_has_nothing_secret(error, reason):
    assert reason_for(error) == reason


async def test_a_fault_and_its_outage_end_with_the_feed(the_hub, watched, settings, monkeypatch):
    """Otherwise an idle process would report for ever that it can't read."""
    rows = Source.rows

    def failing(self: Source) -> Values:
        if self.ranking is STATES:
            raise DatabaseError("poisoned")
        return rows(self)

    monkeypatch.setattr(Source, "rows", failing)
    the_hub._feed.request_read()
    await wait_until(lambda: STATES.slug in the_hub.faults)
    settings.LIVE_IDLE_SECONDS = 0.0
    the_hub.unsubscribe(watched)
    await wait_until(lambda: the_hub.health()["feed"] == "idle")
    assert the_hub.faults == {}
    assert not the_hub._keeper._outages[STATES.slug].is_on

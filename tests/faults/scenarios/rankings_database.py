"""The database of the rankings."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.faults.judging import logs_are_short, nothing_is_lost, seconds_until
from tests.faults.report import BACK, NOTICED
from tests.faults.scenario import scenario
from tests.faults.watched import Watched, watched
from tests.processes import wait_until

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tests.faults.lab import Lab

#: LIVE_STALE_SECONDS, and a tick of the page's clock on a busy machine.
MAX_NOTICED_SECONDS = 15 + 3
#: The feed's longest delay, a connection, and a read, on a busy machine.
MAX_BACK_SECONDS = 8
#: LIVE_REQUEST_WAIT_SECONDS, on a busy machine.
MAX_REQUEST_SECONDS = 5
#: How long a fault lasts whose begin isn't what is judged.
FAULT_SECONDS = 20


def watch(lab: Lab) -> AbstractContextManager[Watched]:
    return watched(lab, *lab.databases())


def viewers_kept_all(lab: Lab, here: Watched) -> None:
    """Judge what holds for every fault of this database: no viewer loses a connection or the last rows."""
    nothing_is_lost(lab, here.site, here.writer)
    for subscriber in here.subscribers:
        assert not subscriber.closed, subscriber.closed
    assert set(here.poller.statuses) == {200}, here.poller.statuses
    lab.record("slowest poll", here.poller.slowest, "s", bound=MAX_REQUEST_SECONDS)
    logs_are_short(lab, here.site)


@scenario("Killed with -9, and started again while orders come in", quick=True)
def rankings_killed(lab: Lab) -> None:
    with watch(lab) as here:
        here.rankings.server.kill()
        seconds = seconds_until(lambda: here.site.logs().count("rankings: can't be read") == 2)
        lab.record(NOTICED, seconds, "s", bound=MAX_NOTICED_SECONDS)
        here.rankings.server.start()
        here.record_return(bound=MAX_BACK_SECONDS)
        viewers_kept_all(lab, here)


@scenario("Killed with -9 and started again five times in a row")
def rankings_killed_again_and_again(lab: Lab) -> None:
    with watch(lab) as here:
        for _ in range(5):
            here.rankings.server.kill()
            here.rankings.server.start()
            here.record_return(bound=MAX_BACK_SECONDS)
        viewers_kept_all(lab, here)


@scenario("Frozen with SIGSTOP, seen by a page that was open and by one that is opened meanwhile")
def rankings_frozen(lab: Lab) -> None:
    with watch(lab) as here:
        page = here.open_page()
        with here.rankings.server.frozen():
            began = time.monotonic()
            page.wait_for("stale")
            lab.record(NOTICED, time.monotonic() - began, "s", bound=MAX_NOTICED_SECONDS)
            late = lab.pages.open(here.site.servers[1].url)
            late.wait_for("stale", seconds=5)
            assert "live" not in late.states, late.states
            hung_outages_are_logged(here)
        here.record_return(page, late, bound=MAX_BACK_SECONDS)
        lab.note("the pill", " → ".join(page.states))
        viewers_kept_all(lab, here)


def hung_outages_are_logged(here: Watched) -> None:
    """Wait until each process has logged, once, that the rankings can't be read."""
    wait_until(
        lambda: here.site.logs().count("rankings: can't be read") == len(here.site.servers),
        lambda: str(here.site.logs()),
    )


@scenario("Behind a proxy that swallows what is sent, without an end or a reset")
def rankings_swallowed(lab: Lab) -> None:
    with watch(lab) as here:
        page = here.open_page()
        here.rankings.proxy.swallow()
        began = time.monotonic()
        page.wait_for("stale")
        lab.record(NOTICED, time.monotonic() - began, "s", bound=MAX_NOTICED_SECONDS)
        hung_outages_are_logged(here)
        here.rankings.proxy.forward()
        here.record_return(page, bound=MAX_BACK_SECONDS)
        lab.note("the pill", " → ".join(page.states))
        viewers_kept_all(lab, here)


@scenario("Refuses connections, and has reset those that were open")
def rankings_refused(lab: Lab) -> None:
    with watch(lab) as here:
        page = here.open_page()
        here.rankings.proxy.refuse()
        began = time.monotonic()
        page.wait_for("stale")
        lab.record(NOTICED, time.monotonic() - began, "s", bound=MAX_NOTICED_SECONDS)
        here.rankings.proxy.forward()
        here.record_return(page, bound=MAX_BACK_SECONDS)
        lab.note("the pill", " → ".join(page.states))
        viewers_kept_all(lab, here)


@scenario("Accepts no more connections after those that were open are reset")
def rankings_not_accepting(lab: Lab) -> None:
    with watch(lab) as here:
        here.rankings.proxy.stop_accepting()
        here.rankings.proxy.reset()
        hung_outages_are_logged(here)
        time.sleep(FAULT_SECONDS)
        here.rankings.proxy.forward()
        here.record_return(bound=MAX_BACK_SECONDS)
        viewers_kept_all(lab, here)


@scenario("Slow: each answer takes 0.3 s longer, at 20 KB a second")
def rankings_slow(lab: Lab) -> None:
    with watch(lab) as here:
        page = here.open_page()
        here.rankings.proxy.slow(delay=0.3, bytes_per_second=20_000)
        before = [each.updates for each in here.subscribers]
        began = time.monotonic()
        page.sleep(FAULT_SECONDS)
        seconds = time.monotonic() - began
        updates = min(each.updates - count for each, count in zip(here.subscribers, before, strict=True))
        lab.note("updates while it is slow", f"{updates / seconds:.1f} a second")
        assert updates > seconds / 5, f"{updates} updates in {seconds:.0f} s"
        assert page.states[-1] == "live", page.states
        assert not here.site.logs().count("can't be read"), str(here.site.logs())
        here.rankings.proxy.forward()
        here.record_return(page, bound=MAX_BACK_SECONDS)
        viewers_kept_all(lab, here)


@scenario("Back with its tables and no rows")
def rankings_back_empty(lab: Lab) -> None:
    with watch(lab) as here:
        here.writer.end()
        here.rankings.server.kill()
        hung_outages_are_logged(here)
        here.rankings.server.replace(lab.templates.migrated)
        seconds = seconds_until(
            lambda: all(
                len(each.rankings) == 4 and not any(card["rows"] for card in each.rankings.values())
                for each in here.subscribers
            )
        )
        lab.record(BACK, seconds, "s", bound=MAX_BACK_SECONDS)
        here.rankings.query(
            "INSERT INTO orders (orderid, itemid, qty, price, state) VALUES (1, 1, 2, 3, 'Ohio')"
        )
        here.writer.orders, here.writer.quantity, here.writer.turnover = 1, 2, Decimal(6)
        viewers_kept_all(lab, here)


@scenario("Back without tables, which are created a while later")
def rankings_back_without_tables(lab: Lab) -> None:
    with watch(lab) as here:
        here.writer.end()
        here.rankings.server.kill()
        here.rankings.server.replace(lab.templates.empty)
        seconds = seconds_until(
            lambda: all(len(each.ping["faults"]) == 4 for each in here.subscribers),
            lambda: f"{[each.ping for each in here.subscribers]}\n{here.site.logs()}",
        )
        lab.record("every ranking says what is wrong after", seconds, "s", bound=MAX_NOTICED_SECONDS)
        assert {fault["reason"] for each in here.subscribers for fault in each.ping["faults"].values()} == {
            "its view doesn't exist"
        }
        here.rankings.server.replace(lab.templates.migrated)
        seconds = seconds_until(
            lambda: all(not each.ping["faults"] for each in here.subscribers),
            lambda: f"{[each.ping for each in here.subscribers]}\n{here.site.logs()}",
        )
        lab.record(BACK, seconds, "s", bound=MAX_BACK_SECONDS)
        here.rankings.query(
            "INSERT INTO orders (orderid, itemid, qty, price, state) VALUES (1, 1, 2, 3, 'Ohio')"
        )
        here.writer.orders, here.writer.quantity, here.writer.turnover = 1, 2, Decimal(6)
        viewers_kept_all(lab, here)

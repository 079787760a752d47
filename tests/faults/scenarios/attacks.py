"""Floods and attacks"""

from __future__ import annotations

import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from tests.faults import flooding
from tests.faults.judging import logs_are_short, nothing_is_lost, seconds_until
from tests.faults.logging_in import Visitor
from tests.faults.report import BACK, LOG_LINES
from tests.faults.resources import latencies, now, usage
from tests.faults.scenario import scenario
from tests.faults.site import Site
from tests.faults.users import PASSWORD
from tests.faults.viewers import Poller, Subscriber
from tests.faults.writer import Writer
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.lab import Lab

#: Seconds that each flood lasts: some dozens of polls of the page.
FLOOD_SECONDS = 15
#: How many times longer than its median before the page may take meanwhile: the median and the 95th
#: percentile. The worst measured were 15 and 76 times. Before control frames were counted, one flooder took
#: the median from 13 to 721 ms. Milliseconds by themselves would judge the machine's other programs too.
MEDIAN_TIMES, P95_TIMES = 25, 120
#: Memory that a flood may add to that of the one before it, in MiB: the most measured was 9.5.
MAX_LOST_MIB = 20
#: Lines that a process may log in a minute of a flood: each kind has its first ones and then a count.
MAX_LOG_LINES = 60
#: By default a process trusts all of its machine's own addresses, those of the attackers among them.
OWN = ["127.0.0.1"]
#: A class or an office, which begins at the same moment.
LOGINS = 150
FILES = 300
HALF_OPEN = 500


def flood(lab: Lab, attack: Callable[[Site], Callable[[], object]]) -> None:
    """Flood a site that is watched. Judge how long its page takes meanwhile, and what it logs."""
    users, rankings = lab.databases()
    site = Site(lab, users, rankings, count=1, LIVE_TRUSTED_PROXIES=OWN)
    site.add_user("alice")
    with Writer(rankings) as writer, Subscriber(site) as viewer, Poller(site, path="/") as poller:
        wait_until(lambda: len(poller.polls) >= 10 and viewer.rankings)
        usual = before_all(lab, poller)
        memory = usage(site, 0).memory_mib
        began = now()
        with flooding.Flood(attack(site)) as attackers:
            time.sleep(FLOOD_SECONDS)
        median, p95, _ = latencies(poller, began)
        lab.note("attacks a second", f"{attackers.times / (now() - began):,.0f}")
        lab.record("the page meanwhile, p50", median, "ms", bound=round(MEDIAN_TIMES * usual))
        lab.record("p95", p95, "ms", bound=round(P95_TIMES * usual))
        # A flood makes the process keep what it needed at once. Only what it loses grows with the next one.
        first = usage(site, 0).memory_mib
        lab.note("more memory after", f"{first - memory:.1f} MiB")
        with flooding.Flood(attack(site)):
            time.sleep(FLOOD_SECONDS)
        lab.record("and after another one", usage(site, 0).memory_mib - first, "MiB", bound=MAX_LOST_MIB)
        nothing_is_lost(lab, site, writer)
    assert set(poller.statuses) == {200}, poller.statuses
    assert not viewer.closed, viewer.closed
    logs_are_short(lab, site, MAX_LOG_LINES)


def before_all(lab: Lab, poller: Poller) -> float:
    """Note how long the page takes before an attack; return the median in milliseconds."""
    median, p95, _ = latencies(poller, 0)
    lab.note("the page before", f"{median:.0f} ms, p95 {p95:.0f} ms")
    return median


@scenario("Four clients flood their sockets with pings")
def flood_of_pings(lab: Lab) -> None:
    flood(lab, lambda site: partial(flooding.frames, site.servers[0], b"\x89\x80\0\0\0\0"))


@scenario("Four clients flood their sockets with empty fragments")
def flood_of_fragments(lab: Lab) -> None:
    # The first fragment begins a message; the others continue it.
    flood(
        lab,
        lambda site: partial(flooding.frames, site.servers[0], b"\x01\x80\0\0\0\0" + b"\0\x80\0\0\0\0" * 50),
    )


@scenario("Four clients flood their sockets with messages")
def flood_of_messages(lab: Lab) -> None:
    flood(lab, lambda site: partial(flooding.frames, site.servers[0], b"\x81\x81\0\0\0\0x"))


@scenario("Four clients try passwords of users who don't exist")
def flood_of_logins(lab: Lab) -> None:
    numbers = itertools.count()
    flood(lab, lambda site: partial(flooding.failed_login, site, lambda: next(numbers)))


@scenario(f"{LOGINS} people log in at the same moment")
def many_logins(lab: Lab) -> None:
    users, rankings = lab.databases()
    site = Site(lab, users, rankings, count=1, LIVE_TRUSTED_PROXIES=OWN)
    site.add_user("alice")
    with Writer(rankings) as writer, Poller(site, path="/") as poller:
        wait_until(lambda: len(poller.polls) >= 10)
        usual, began = before_all(lab, poller), now()
        with ThreadPoolExecutor(LOGINS) as people:
            answers = list(people.map(lambda _: log_in_or_not(site), range(LOGINS)))
        _, p95, _ = latencies(poller, began)
        logins = [seconds for seconds, is_in in answers if is_in]
        others = [seconds for seconds, is_in in answers if not is_in]
        assert logins, "Nobody got in."
        assert others, "Nobody was told to try again."
        lab.note("logged in", str(len(logins)))
        lab.record("the slowest of them", max(logins), "s", bound=30)
        lab.note("told to try again", str(len(others)))
        lab.record("the last of them", max(others), "s", bound=30)
        lab.record("the page meanwhile, p95", p95, "ms", bound=round(P95_TIMES * usual))
        Visitor(site).log_in("alice", PASSWORD)
        nothing_is_lost(lab, site, writer)
    assert set(poller.statuses) == {200}, poller.statuses
    logs_are_short(lab, site)


def log_in_or_not(site: Site) -> tuple[float, bool]:
    """Log in; return the seconds of the answer, and whether it isn't the one to try again."""
    visitor = Visitor(site)
    visitor.request("/login/")
    began = now()
    status = visitor.request("/login/", username="alice", password=PASSWORD)
    is_in = bool(visitor.cookie("sessionid"))
    assert status == (200 if is_in else 503), status
    return now() - began, is_in


@scenario("Four pages of another site open sockets again and again")
def flood_of_refused_origins(lab: Lab) -> None:
    flood(lab, lambda site: partial(flooding.refused_origin, site.servers[0]))


@scenario("Four clients request what is refused: unknown pages, rankings and parameters, foreign hosts")
def flood_of_bad_requests(lab: Lab) -> None:
    paths = [
        "/nowhere/",
        "/api/rankings/unknown/",
        "/api/rankings/?page=%00",
        "/ws/nowhere/",
        "/admin/%5c/",
        "/%ff",
    ]
    flood(lab, lambda site: partial(flooding.bad_request, site.servers[0], paths))


@scenario(f"{HALF_OPEN} half-open connections from one address, where {FILES} descriptors are allowed")
def descriptors_gone(lab: Lab) -> None:
    half_open(lab, flooding.one_address)


@scenario(
    f"{HALF_OPEN} half-open connections from {HALF_OPEN} addresses, where {FILES} descriptors are allowed"
)
def descriptors_gone_to_many(lab: Lab) -> None:
    half_open(lab, flooding.any_address)


def half_open(lab: Lab, source: Callable[[int], str]) -> None:
    """Take a process's descriptors. The feed, the pings and healthy viewers go on."""
    users, rankings = lab.databases()
    site = Site(
        lab, users, rankings, count=1, prefix=("prlimit", f"--nofile={FILES}"), LIVE_TRUSTED_PROXIES=OWN
    )
    with Writer(rankings) as writer, Subscriber(site) as viewer:
        wait_until(lambda: viewer.rankings)
        before = usage(site, 0).files
        with flooding.HalfOpen(site.servers[0], HALF_OPEN, source) as attackers:
            wait_until(lambda: attackers.opened + attackers.refused >= HALF_OPEN)
            began, frames = now(), len(viewer.frames_at)
            etag = viewer.rankings["states-by-turnover"]["etag"]
            admitted = [entering(site) for _ in range(10)]
            lab.record("a new viewer gets in after", max(admitted), "s", bound=10)
            wait_until(lambda: now() - began > 15)
            lab.record("longest silence of a socket", longest_silence(viewer, frames), "s", bound=10)
            assert viewer.rankings["states-by-turnover"]["etag"] != etag, "The feed has stopped."
            lab.note("/readyz meanwhile", readiness(site))
        back = seconds_until(lambda: usage(site, 0).files <= before + 5, seconds=60)
        lab.record(BACK, back, "s", bound=60)
        nothing_is_lost(lab, site, writer)
    assert not viewer.closed, viewer.closed
    logs_are_short(lab, site)


def entering(site: Site) -> float:
    """Return the seconds until a new viewer has a frame. Raises AssertionError."""
    began = now()
    with Subscriber(site) as viewer:
        wait_until(lambda: viewer.frames_at, lambda: str(viewer.closed))
    return now() - began


def longest_silence(viewer: Subscriber, since: int) -> float:
    """Return the longest time in seconds between two frames, from the frame with this number on."""
    times = [*viewer.frames_at[max(since - 1, 0) :], now()]
    return max(later - earlier for earlier, later in itertools.pairwise(times))


def readiness(site: Site) -> str:
    """Return status and state of /readyz."""
    answer = site.get("/readyz")
    try:
        parts = json.loads(answer.body)
    except ValueError:
        return str(answer.status)
    return f"{answer.status}, {parts.get('status')}"


@scenario("10,000 connections in a minute: some send nothing, some request a page, some open a socket and go")
def ten_thousand_connections(lab: Lab) -> None:
    users, rankings = lab.databases()
    site = Site(lab, users, rankings, count=1, LIVE_TRUSTED_PROXIES=OWN)
    with Writer(rankings) as writer, Subscriber(site) as viewer, Poller(site, path="/") as poller:
        wait_until(lambda: len(poller.polls) >= 10 and viewer.rankings)
        usual, before, began, failed = before_all(lab, poller), usage(site, 0), now(), 0
        for number in range(10_000):
            ahead = began + number * 60 / 10_000 - now()
            if ahead > 0:
                time.sleep(ahead)
            failed += not flooding.passes_by(site.servers[0], number)
        took = now() - began
        lab.note("connections a second", f"{10_000 / took:.0f}")
        lab.record("connections that failed", failed, bound=0)
        median, p95, worst = latencies(poller, began)
        lab.note("the page meanwhile, p50", f"{median:.0f} ms")
        lab.record("p95", p95, "ms", bound=round(P95_TIMES * usual))
        lab.record("slowest", worst, "ms", bound=5_000)
        back = seconds_until(lambda: usage(site, 0).files <= before.files + 5)
        lab.record(BACK, back, "s", bound=30)
        lab.record("more memory after", usage(site, 0).memory_mib - before.memory_mib, "MiB", bound=60)
        nothing_is_lost(lab, site, writer)
    assert set(poller.statuses) == {200}, poller.statuses
    assert not viewer.closed, viewer.closed
    lab.record(LOG_LINES, site.logs().most_lines_in_a_minute, bound=20)

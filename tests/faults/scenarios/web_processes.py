"""The web processes behind nginx"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.balancer import Balancer
from tests.faults.crowd import Crowd
from tests.faults.judging import logs_are_short, nothing_is_lost
from tests.faults.logging_in import Visitor
from tests.faults.report import BACK
from tests.faults.scenario import scenario
from tests.faults.site import Site
from tests.faults.users import PASSWORD
from tests.faults.viewers import Poller
from tests.faults.writer import Writer

if TYPE_CHECKING:
    from tests.faults.lab import Lab

SUBSCRIBERS = 2_000
#: Seconds within which all subscribers must be back, on a busy machine: twice the pages' longest delay, and
#: the handshakes of a third of them.
BACK_SECONDS = 30
#: Seconds that a request may take while hundreds of sockets open again on a busy machine.
SLOWEST_SECONDS = 20
#: Requests that may meet a process which has just been killed, and fail.
MAX_ERRORS = 5


@scenario("One of three processes ends (SIGTERM) under 2,000 subscribers")
def process_terminated(lab: Lab) -> None:
    one_of_three_ends(lab, "terminate", max_errors=0)


@scenario("One of three processes is killed (SIGKILL) under 2,000 subscribers")
def process_killed(lab: Lab) -> None:
    one_of_three_ends(lab, "kill", max_errors=MAX_ERRORS)


def one_of_three_ends(lab: Lab, how: str, max_errors: int) -> None:
    users, rankings = lab.databases()
    site = Site(lab, users, rankings, count=3, LIVE_TRUSTED_PROXIES=["127.0.0.1"])
    balancer = Balancer(lab, site)
    site.add_user("alice")
    with Writer(rankings) as writer, Poller(balancer) as poller, Crowd(balancer.host) as crowd:
        crowd.open(SUBSCRIBERS)
        page = lab.pages.open(balancer.servers[0].url)
        page.wait_for("live")
        getattr(site.servers[0].process, how)()
        away = crowd.run_until(lambda: len(crowd.away) > SUBSCRIBERS // 6, 30)
        seconds = Visitor(balancer).log_in("alice", PASSWORD)
        lab.record("a login meanwhile", seconds, "s", bound=SLOWEST_SECONDS)
        back = crowd.run_until(lambda: not crowd.away, BACK_SECONDS)
        lab.record(BACK, away + back, "s", bound=BACK_SECONDS)
        lab.note("closed with", ", ".join(f"{times:,} × {code}" for code, times in crowd.codes.items()))
        site.restart(0)
        cards = crowd.clients.cards
        crowd.run_until(lambda: crowd.clients.cards >= cards + SUBSCRIBERS, 30)
        page.wait_for("live")
        errors = sum(times for status, times in poller.statuses.items() if not 200 <= status < 400)
        lab.record("failed requests", errors, bound=max_errors)
        lab.record("slowest poll", poller.slowest, "s", bound=SLOWEST_SECONDS)
        nothing_is_lost(lab, site, writer)
    logs_are_short(lab, site)

"""Both databases at once."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.faults.judging import logs_are_short, nothing_is_lost, seconds_until
from tests.faults.report import NOTICED
from tests.faults.scenario import scenario
from tests.faults.users import add_user
from tests.faults.watched import watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.faults.lab import Lab
    from tests.faults.watched import Watched

#: As for each of them.
MAX_NOTICED_SECONDS, MAX_BACK_SECONDS, MAX_CLOSE_SECONDS = 15 + 3, 10, 8
#: How long the fault lasts.
FAULT_SECONDS = 20
LOG_OUT = "DELETE FROM django_session WHERE session_key = %s"


def lose_both(lab: Lab, lost: Callable[[Watched], AbstractContextManager[object]]) -> None:
    """Lose both for a while; judge the page of a user who is in, and whether a logout counts afterwards."""
    users, rankings = lab.databases()
    cookie = add_user(users, "vera")
    with watched(lab, users, rankings, cookie=cookie, environment={"LIVE_OPEN": "false"}) as here:
        page = here.open_page(0, cookie)
        with lost(here):
            began = time.monotonic()
            page.wait_for("stale")
            lab.record(NOTICED, time.monotonic() - began, "s", bound=MAX_NOTICED_SECONDS)
            page.sleep(max(0, began + FAULT_SECONDS - time.monotonic()))
        here.record_return(page, bound=MAX_BACK_SECONDS)
        lab.note("the pill", " → ".join(page.states))
        assert not any(each.closed for each in here.subscribers)
        here.site.servers.append(here.site.start(2, environment={"LIVE_OPEN": "true"}))
        nothing_is_lost(lab, here.site, here.writer, processes=[2])
        here.users.query(LOG_OUT, cookie.partition("=")[2])
        seconds = seconds_until(lambda: all(each.closed for each in here.subscribers))
        lab.record("sockets of a deleted session closed after", seconds, "s", bound=MAX_CLOSE_SECONDS)
        logs_are_short(lab, here.site)


@scenario("Killed with -9, and started again")
def both_killed(lab: Lab) -> None:
    @contextmanager
    def killed(here: Watched) -> Iterator[None]:
        here.users.server.kill()
        here.rankings.server.kill()
        yield
        here.rankings.server.start()
        here.users.server.start()

    lose_both(lab, killed)


@scenario("Frozen with SIGSTOP")
def both_frozen(lab: Lab) -> None:
    @contextmanager
    def frozen(here: Watched) -> Iterator[None]:
        with here.users.server.frozen(), here.rankings.server.frozen():
            yield

    lose_both(lab, frozen)


@scenario("Behind proxies that swallow what is sent")
def both_swallowed(lab: Lab) -> None:
    @contextmanager
    def swallowed(here: Watched) -> Iterator[None]:
        here.users.proxy.swallow()
        here.rankings.proxy.swallow()
        yield
        here.users.proxy.forward()
        here.rankings.proxy.forward()

    lose_both(lab, swallowed)

"""The database of the users and sessions."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from tests.faults.judging import logs_are_short, nothing_is_lost, seconds_until
from tests.faults.report import BACK, NOTICED
from tests.faults.scenario import scenario
from tests.faults.users import add_user
from tests.faults.viewers import Poller, Subscriber
from tests.faults.watched import Watched, watched
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.lab import Lab

#: The longest wait of a request: LIVE_REQUEST_WAIT_SECONDS or connect_timeout, on a busy machine.
MAX_REQUEST_SECONDS = 8
#: Two checks of all sessions, and a connection, on a busy machine.
MAX_BACK_SECONDS = 8
#: A check of all sessions every 3 s, on a busy machine; less than LIVE_USERS_LOST_SECONDS by far.
MAX_CLOSE_SECONDS = 8
#: How long each fault lasts: longer than any wait for a connection or an answer.
FAULT_SECONDS = 20
#: TRY_LATER of docs/protocol.md: the users' database can't be asked.
USERS_UNAVAILABLE, NOT_LOGGED_IN = 4513, 4401

CLOSED = {"LIVE_OPEN": "false"}
LOG_OUT = "DELETE FROM django_session WHERE session_key = %s"
DEACTIVATE = "UPDATE auth_user SET is_active = false WHERE username = %s"


@contextmanager
def closed_site(lab: Lab, **settings: Any) -> Iterator[tuple[Watched, str]]:
    """Run two processes for users only, watched by one, and one for all. Yield his cookie too."""
    users, rankings = lab.databases()
    cookie = add_user(users, "vera")
    with watched(lab, users, rankings, cookie=cookie, environment=CLOSED, **settings) as here:
        here.site.servers.append(here.site.start(2, environment={"LIVE_OPEN": "true"}))
        yield here, cookie


def lose(
    lab: Lab, begin: Callable[[Watched], AbstractContextManager[object]], *, seconds: float = FAULT_SECONDS
) -> None:
    """Lose the database for some seconds by the block of `begin`; judge what users and viewers notice."""
    with closed_site(lab) as (here, cookie):
        site = here.site
        shown = here.open_page(0, cookie)
        with Poller(site, 2, path="/") as board, Poller(site, 0, cookie, path="/") as page:
            with begin(here):
                began = time.monotonic()
                noticed = seconds_until(
                    lambda: 503 in page.statuses, lambda: f"{page.statuses}\n{site.logs()}"
                )
                lab.record(NOTICED, noticed, "s", bound=MAX_REQUEST_SECONDS + 2)
                others_are_asked_to_try_later(here, cookie)
                frames = [len(each.frames_at) for each in here.subscribers]
                shown.sleep(max(5, began + seconds - time.monotonic()))
                for subscriber, count in zip(here.subscribers, frames, strict=True):
                    assert not subscriber.closed, subscriber.closed
                    assert len(subscriber.frames_at) > count + 5, "no more frames come to those who are in"
            back = seconds_until(
                lambda: all(site.get("/", which, Cookie=cookie).status == 200 for which in (0, 1)),
                lambda: str(site.logs()),
            )
            lab.record(BACK, back, "s", bound=MAX_BACK_SECONDS)
            shown.wait_for("live", seconds=1)
            lab.note("the pill of a user who is in", " → ".join(shown.states))
            nobody_is_in_who_should_not_be(lab, here, cookie)
            shown.wait_for_login()
        assert set(board.statuses) == {200}, board.statuses
        assert not {500, 502} & set(page.statuses), page.statuses
        lab.record("slowest open page", board.slowest, "s", bound=MAX_REQUEST_SECONDS)
        lab.record("slowest answer to a user", page.slowest, "s", bound=MAX_REQUEST_SECONDS)
        lab.note("a user's page", ", ".join(f"{count} × {code}" for code, count in page.statuses.items()))
        nothing_is_lost_in_the_open(lab, here)
        logs_are_short(lab, site)


def others_are_asked_to_try_later(here: Watched, cookie: str) -> None:
    """Judge what a user gets who comes now, by a page and by a socket."""
    # Until then, the process remembers for a few seconds that the session is logged in.
    wait_until(lambda: 503 in here.poller.statuses, lambda: str(here.poller.statuses))
    refusal = here.site.get("/", 1, Cookie=cookie)
    assert refusal.status == 503, refusal
    assert int(refusal.headers["Retry-After"]) > 0
    with Subscriber(here.site, 1, cookie) as late:
        wait_until(lambda: late.closed, lambda: str(here.site.logs()))
    assert {each.code for each in late.closed} == {USERS_UNAVAILABLE}, late.closed


def nobody_is_in_who_should_not_be(lab: Lab, here: Watched, cookie: str) -> None:
    """Delete the session of those who watch, and judge when their sockets close."""
    here.users.query(LOG_OUT, cookie.partition("=")[2])
    seconds = seconds_until(
        lambda: all(each.closed and each.closed[-1].code == NOT_LOGGED_IN for each in here.subscribers),
        lambda: f"{[each.closed for each in here.subscribers]}\n{here.site.logs()}",
    )
    lab.record("sockets of a deleted session closed after", seconds, "s", bound=MAX_CLOSE_SECONDS)


def nothing_is_lost_in_the_open(lab: Lab, here: Watched) -> None:
    """Judge the sums in the process that is open to all."""
    nothing_is_lost(lab, here.site, here.writer, processes=[2])


@scenario("Killed with -9, and started again")
def users_killed(lab: Lab) -> None:
    @contextmanager
    def killed(here: Watched) -> Iterator[None]:
        here.users.server.kill()
        yield
        here.users.server.start()

    lose(lab, killed, seconds=5)


@scenario("Frozen with SIGSTOP")
def users_frozen(lab: Lab) -> None:
    lose(lab, lambda here: here.users.server.frozen())


@scenario("Behind a proxy that swallows what is sent, without an end or a reset")
def users_swallowed(lab: Lab) -> None:
    lose(lab, lambda here: during(here, here.users.proxy.swallow))


@scenario("Refuses connections, and has reset those that were open")
def users_refused(lab: Lab) -> None:
    lose(lab, lambda here: during(here, here.users.proxy.refuse))


@scenario("Accepts no more connections after those that were open are reset")
def users_not_accepting(lab: Lab) -> None:
    def begin(here: Watched) -> None:
        here.users.proxy.stop_accepting()
        here.users.proxy.reset()

    lose(lab, lambda here: during(here, lambda: begin(here)))


@contextmanager
def during(here: Watched, begin: Callable[[], None]) -> Iterator[None]:
    """Begin a fault of the proxy; let it forward again at the end of the block."""
    begin()
    yield
    here.users.proxy.forward()


@scenario("Slow: each answer takes 0.2 s longer")
def users_slow(lab: Lab) -> None:
    with closed_site(lab) as (here, cookie):
        site = here.site
        with Poller(site, 0, cookie, path="/") as page:
            here.users.proxy.slow(delay=0.2)
            time.sleep(FAULT_SECONDS)
            assert not any(each.closed for each in here.subscribers)
            nobody_is_in_who_should_not_be(lab, here, cookie)
            here.users.proxy.forward()
        assert set(page.statuses) <= {200, 302}, page.statuses
        lab.record("slowest answer to a user", page.slowest, "s", bound=MAX_REQUEST_SECONDS)
        nothing_is_lost_in_the_open(lab, here)
        logs_are_short(lab, site)


@scenario("Back with its tables and no rows: all users and sessions are gone")
def users_back_empty(lab: Lab) -> None:
    with closed_site(lab) as (here, cookie):
        site = here.site
        here.users.server.kill()
        wait_until(lambda: site.get("/", 0, Cookie=cookie).status == 503, lambda: str(site.logs()))
        here.users.server.replace(lab.templates.migrated)
        seconds = seconds_until(
            lambda: all(each.closed and each.closed[-1].code == NOT_LOGGED_IN for each in here.subscribers),
            lambda: f"{[each.closed for each in here.subscribers]}\n{site.logs()}",
        )
        lab.record("sockets closed after", seconds, "s", bound=MAX_CLOSE_SECONDS)
        assert site.get("/", 0, Cookie=cookie).status == 302
        again = add_user(here.users, "vera")
        assert site.get("/", 0, Cookie=again).status == 200
        nothing_is_lost_in_the_open(lab, here)
        logs_are_short(lab, site)


@scenario("Away for good: who is in is sent away after LIVE_USERS_LOST_SECONDS, here 15")
def users_lost_for_good(lab: Lab) -> None:
    with closed_site(lab, LIVE_USERS_LOST_SECONDS=15) as (here, _):
        began = time.monotonic()
        here.users.server.kill()
        wait_until(lambda: all(each.closed for each in here.subscribers), lambda: str(here.site.logs()))
        codes = {each.code for subscriber in here.subscribers for each in subscriber.closed}
        assert codes == {USERS_UNAVAILABLE}, codes
        ends = [subscriber.closed[0].at - began for subscriber in here.subscribers]
        assert min(ends) > 10, ends
        lab.record("the last is sent away after", max(ends), "s", bound=15 + MAX_CLOSE_SECONDS)
        here.users.server.start()
        seconds = seconds_until(lambda: all(each.is_open for each in here.subscribers))
        lab.record(BACK, seconds, "s", bound=MAX_BACK_SECONDS)
        nothing_is_lost_in_the_open(lab, here)
        logs_are_short(lab, here.site)


@scenario("A user is deactivated by SQL while the database can't be reached")
def users_deactivated_meanwhile(lab: Lab) -> None:
    with closed_site(lab) as (here, cookie):
        here.users.proxy.refuse()
        wait_until(lambda: here.site.get("/", 0, Cookie=cookie).status == 503, lambda: str(here.site.logs()))
        here.users.query(DEACTIVATE, "vera")
        here.users.proxy.forward()
        seconds = seconds_until(
            lambda: all(each.closed and each.closed[-1].code == NOT_LOGGED_IN for each in here.subscribers),
            lambda: f"{[each.closed for each in here.subscribers]}\n{here.site.logs()}",
        )
        lab.record("sockets closed after", seconds, "s", bound=MAX_CLOSE_SECONDS)
        last_frames = [each.frames_at[-1] - each.closed[-1].at for each in here.subscribers]
        assert max(last_frames) <= 0, "a frame came after the end"
        nothing_is_lost_in_the_open(lab, here)
        logs_are_short(lab, here.site)


@scenario("200 requests at once that need it while it is frozen")
def users_frozen_under_load(lab: Lab) -> None:
    with closed_site(lab) as (here, cookie):
        site = here.site
        with here.users.server.frozen(), ExitStack() as stack:
            began = time.monotonic()
            slowest: list[float] = []

            def ask() -> None:
                answer = site.get("/", 0, timeout=60, Cookie=cookie)
                assert answer.status in (200, 503), answer.status
                slowest.append(time.monotonic() - began)

            threads = [threading.Thread(target=ask, daemon=True) for _ in range(200)]
            for thread in threads:
                thread.start()
                stack.callback(thread.join)
            wait_until(lambda: len(slowest) == len(threads), lambda: f"{len(slowest)} have an answer")
        lab.record("the last of 200 answers after", max(slowest), "s", bound=2 * MAX_REQUEST_SECONDS)
        seconds = seconds_until(lambda: site.get("/", 0, Cookie=cookie).status == 200)
        lab.record(BACK, seconds, "s", bound=MAX_BACK_SECONDS)
        nothing_is_lost_in_the_open(lab, here)
        logs_are_short(lab, site)

"""Long runs"""

from __future__ import annotations

import itertools
import random
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from hypothesis import HealthCheck, Phase, given, settings

from tests.faults.crowd import Crowd
from tests.faults.judging import logs_are_short, nothing_is_lost
from tests.faults.logging_in import Visitor
from tests.faults.resources import now, usage
from tests.faults.scenario import scenario
from tests.faults.site import Site
from tests.faults.users import PASSWORD
from tests.faults.viewers import Subscriber
from tests.faults.writer import Writer
from tests.live.fuzzing import Fuzzed, conversations, handshakes, requests
from tests.processes import wait_until

if TYPE_CHECKING:
    from tests.faults.lab import Database, Lab

#: The day, and its hours: in each, a database is lost and a session ends.
DAY_SECONDS, HOUR_SECONDS = 600, 25
SUBSCRIBERS = 200
#: Connections of subscribers that are cut each second.
CUTS = 20
#: Seconds after which a session that has ended gets no frames: docs/protocol.md promises 5.
OUT_SECONDS = 10
#: Lines that a process may log in a minute: two hours, each with a database lost.
MAX_LOG_LINES = 60
#: Examples of the fuzz.
EXAMPLES = 5_000

#: How a session ends without a signal, by its key.
ENDS = (
    "DELETE FROM django_session WHERE session_key = %s",
    "UPDATE django_session SET expire_date = now() WHERE session_key = %s",
    "UPDATE auth_user SET is_active = false WHERE username = 'guest' || left(%s, 0)",
    "UPDATE auth_user SET password = 'other' WHERE username = 'guest' || left(%s, 0)",
)


class Comings(threading.Thread):
    """A user who logs in, looks at the page and logs out, again and again."""

    def __init__(self, site: Site) -> None:
        super().__init__(daemon=True)
        self.site, self.times, self.ended = site, 0, threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()

    def run(self) -> None:
        while not self.ended.wait(1):
            # The database of the users may be lost just now.
            with suppress(OSError, AssertionError):
                visitor = Visitor(self.site, random.randrange(2))
                visitor.log_in("alice", PASSWORD)
                visitor.request("/")
                visitor.log_out()
                self.times += 1


@scenario("A day in ten minutes: sessions end, sockets are cut, users come and go, databases are killed")
def day(lab: Lab) -> None:
    users, rankings = lab.databases()
    site = Site(lab, users, rankings, environment={"LIVE_OPEN": "false"}, LIVE_TRUSTED_PROXIES=["127.0.0.1"])
    site.add_user("alice")
    site.cookie = site.add_user("bob")
    out: list[float] = []
    hosts = [server.host for server in site.servers]
    with Writer(rankings) as writer, Comings(site) as comings, Crowds(hosts, site.cookie) as crowds:
        crowds.wait_until_all_there()
        began, early = now(), None
        for hour in itertools.count():
            if now() - began > DAY_SECONDS:
                break
            until = began + (hour + 1) * HOUR_SECONDS
            crowds.run(2)
            out.append(end_a_session(site, users, crowds, hour))
            restart((users, rankings)[hour % 2], crowds)
            crowds.run(max(until - now(), 0))
            crowds.wait_until_all_there()
            if early is None and now() - began > DAY_SECONDS / 3:
                early = [usage(site, which) for which in range(2)]
        late = [usage(site, which) for which in range(2)]
        assert early is not None
        lab.note("hours, each with a lost database", str(hour))
        lab.note("sockets", f"{crowds.opened:,}")
        lab.note("logins and logouts", f"{comings.times:,}")
        lab.record("out after the end of a session", max(out), "s", bound=OUT_SECONDS)
        for label, field, unit, bound in (
            ("memory", "memory_mib", "MiB", 15.0),
            ("descriptors", "files", "", 15),
            ("threads", "threads", "", 5),
        ):
            before, after = ([getattr(each, field) for each in usages] for usages in (early, late))
            lab.note(f"{label} at the end", f"{max(after):.0f} {unit}")
            growth = max(later - earlier for earlier, later in zip(before, after, strict=True))
            lab.record(f"more {label} than after a third", growth, unit, bound=bound)
        nothing_is_lost(lab, site, writer)
    logs_are_short(lab, site, MAX_LOG_LINES)


class Crowds:
    """A crowd at each process, all with the same session. Some lose their connection each second."""

    def __init__(self, hosts: list[str], cookie: str) -> None:
        self.crowds = [Crowd(host, lambda _number: cookie) for host in hosts]

    def __enter__(self) -> Self:
        for crowd in self.crowds:
            crowd.join(SUBSCRIBERS // len(self.crowds))
        return self

    def __exit__(self, *_: object) -> None:
        for crowd in self.crowds:
            crowd.clients.close()

    @property
    def opened(self) -> int:
        return sum(crowd.clients.opened for crowd in self.crowds)

    def run(self, seconds: float) -> None:
        """Go on for `seconds`."""
        until = now() + seconds
        while now() < until:
            for crowd in self.crowds:
                crowd.step()
                if random.random() < CUTS / len(self.crowds) * 2 * 0.05:
                    crowd.drop(1)

    def wait_until_all_there(self) -> None:
        """Wait until nobody is away. Raises AssertionError."""
        for crowd in self.crowds:
            crowd.run_until(crowd.is_complete, 30)
            assert len(crowd.members) == SUBSCRIBERS // len(self.crowds), crowd.codes


def end_a_session(site: Site, users: Database, crowds: Crowds, hour: int) -> float:
    """End a session that watches in both processes; return the seconds until both have closed its socket."""
    users.query("DELETE FROM auth_user WHERE username = 'guest'")
    cookie = site.add_user("guest")
    with Subscriber(site, 0, cookie) as one, Subscriber(site, 1, cookie) as other:
        until = now() + 30
        while not (one.rankings and other.rankings):
            assert now() < until, (one.closed, other.closed)
            crowds.run(0.2)
        users.query(ENDS[hour % len(ENDS)], cookie.removeprefix("sessionid="))
        began = now()
        while one.is_alive() or other.is_alive():
            assert now() - began < 60, f"{ENDS[hour % len(ENDS)]}: {one.closed}, {other.closed}"
            crowds.run(0.2)
        assert [one.closed[-1].code, other.closed[-1].code] == [4401, 4401]
        return max(one.closed[-1].at, other.closed[-1].at) - began


def restart(database: Database, crowds: Crowds) -> None:
    """Kill a database's server and start it again some seconds later."""
    database.server.kill()
    crowds.run(4)
    database.server.start()


@scenario(f"{3 * EXAMPLES:,} odd requests and WebSockets, others each time")
def fuzz(lab: Lab) -> None:
    users, rankings = lab.databases()
    site = Site(lab, users, rankings, environment={"LIVE_OPEN": "true"}, count=2)
    site.cookie = site.add_user("alice")
    fuzzed = Fuzzed(site.servers[0])
    profile = settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        print_blob=True,
        # Daphne logs an error up to a second later, so which example caused it isn't known: no shrinking.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    @profile
    @given(request=requests(fuzzed.host))
    def check_requests(request):
        fuzzed.check(request)

    @profile
    @given(request=requests(fuzzed.host, site.cookie.encode()))
    def check_requests_of_a_user(request):
        fuzzed.check(request)

    @profile
    @given(handshake=handshakes(fuzzed.host), conversation=conversations)
    def check_sockets(handshake, conversation):
        fuzzed.check_socket(handshake, conversation)

    memory = usage(site, 0).memory_mib
    check_requests()
    check_requests_of_a_user()
    check_sockets()
    fuzzed.check_alive()
    assert site.get("/admin/").status == 200, "The user is no longer logged in."
    lab.record("more memory after", usage(site, 0).memory_mib - memory, "MiB", bound=60)
    # Not meanwhile, since the writer's random numbers would be drawn from the examples.
    with Writer(rankings) as writer, Subscriber(site, 0, site.cookie) as viewer:
        wait_until(lambda: viewer.updates > 2, lambda: str(site.logs()))
        nothing_is_lost(lab, site, writer)
    logs_are_short(lab, site, MAX_LOG_LINES)

"""Thousands of subscribers, each from an address of its own.

They reconnect as the pages do, and leave for good when they are refused.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Self

from benchmarks.fanout.clients import Client, Clients
from benchmarks.fanout.restart import Returning
from benchmarks.fanout.site import STATES_PATH

if TYPE_CHECKING:
    from collections.abc import Callable

#: The code of a connection that is lost without one.
LOST = 1006
#: Seconds between two looks at who is away.
STEP_SECONDS = 0.05


def own_address(number: int) -> str:
    """Return one of this machine's 62,500 addresses 127.1.x.y, as if each client were another machine."""
    return f"127.1.{number // 250 % 250}.{number % 250 + 1}"


class Crowd:
    """Subscribers to the ranking of the states. They read only while one of the methods runs."""

    def __init__(
        self, host: str, cookies: Callable[[int], str] = lambda _number: "", path: str = STATES_PATH
    ) -> None:
        self.clients = Clients(host, path, cookies, own_address)
        self.members: list[Client] = []
        self.away: dict[Client, Returning] = {}
        #: The close codes so far, and the statuses of refused handshakes.
        self.codes: Counter[int] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clients.close()

    def open(self, count: int) -> None:
        """Open sockets until the crowd has `count` more members, each with a card."""
        self.members += self.clients.open(count)

    def join(self, count: int) -> None:
        """Add `count` members, which connect in the next steps, whatever the server answers."""
        for _ in range(count):
            client = Client()
            client.closed = LOST
            self.members.append(client)

    def drop(self, count: int) -> None:
        """Cut the connections of members chosen at random. They connect again in their time."""
        there = [client for client in self.members if client.closed is None and client not in self.away]
        for client in random.sample(there, min(count, len(there))):
            self.clients.cut(client)

    def is_complete(self) -> bool:
        """Return whether all members are there and have a card."""
        return not self.away and all(client.closed is None and client.cards for client in self.members)

    def step(self) -> None:
        """Read what has arrived, and let those whose connection is lost reconnect in their time."""
        self.clients.step(STEP_SECONDS)
        for client in list(self.members):
            if client.closed is None:
                continue
            if 4400 <= client.closed < 4500:
                self.codes[client.closed] += 1
                self.members.remove(client)
                self.away.pop(client, None)
            elif client not in self.away:
                self.away[client] = Returning(client)
        for client, returning in list(self.away.items()):
            # Returning forgets the code when it connects again.
            code, is_due = client.closed, not returning.due
            returning.step(self.clients)
            if code is not None and is_due:
                self.codes[code] += 1
            if returning.live_at:
                del self.away[client]

    def run(self, seconds: float) -> None:
        """Go on for `seconds`."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.step()

    def run_until(self, condition: Callable[[], object], seconds: float) -> float:
        """Go on until the condition is true; return how long it took. Raises AssertionError."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < seconds, (
                f"The condition is still false after {seconds:g} s: {len(self.away):,} of "
                f"{len(self.members):,} subscribers are away, after {dict(self.codes)}."
            )
            self.step()
        return time.monotonic() - began

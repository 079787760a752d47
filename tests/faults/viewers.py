"""Those who watch: programs on sockets and programs that poll, each in a thread."""

from __future__ import annotations

import json
import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect
from websockets.typing import Origin

if TYPE_CHECKING:
    from tests.faults.site import Served

#: Seconds between two polls.
POLL_SECONDS = 0.5
#: Seconds without a message after which a program gives up its connection: docs/protocol.md.
SILENCE_SECONDS = 15.0


@dataclass(frozen=True)
class Closed:
    """A socket's end."""

    at: float
    code: int


class Watcher(threading.Thread):
    """A thread that watches until it is told to end."""

    def __init__(self, site: Served, which: int, cookie: str) -> None:
        super().__init__(daemon=True)
        self.site, self.which, self.cookie = site, which, cookie
        self.ended = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()


class Subscriber(Watcher):
    """A program on a socket, which reconnects as docs/protocol.md asks for, until it is refused for good."""

    def __init__(self, site: Served, which: int = 0, cookie: str = "", form: str = "json") -> None:
        super().__init__(site, which, cookie)
        self.form = form
        #: The newest message of each ranking, and the newest ping.
        self.rankings: dict[str, dict[str, Any]] = {}
        self.ping: dict[str, Any] = {}
        #: The number of messages with new rows.
        self.updates = 0
        #: Monotonic times of the frames, and the ends of the sockets.
        self.frames_at: list[float] = []
        self.closed: list[Closed] = []
        self.is_open = False

    def run(self) -> None:
        attempt = 0
        while not self.ended.is_set():
            server = self.site.servers[self.which]
            headers = {"Cookie": self.cookie} if self.cookie else {}
            # As a page; a program without an origin is admitted only where everybody is.
            origin = Origin(server.url) if self.cookie or self.form == "html" else None
            try:
                with connect(
                    f"{server.socket_url}?format={self.form}",
                    additional_headers=headers,
                    origin=origin,
                    open_timeout=SILENCE_SECONDS,
                    close_timeout=1,
                    proxy=None,
                ) as socket:
                    attempt = 0
                    self._listen(socket)
            except ConnectionClosed as error:
                self._end(error.rcvd.code if error.rcvd else 1006)
            except (OSError, InvalidHandshake, TimeoutError):
                self._end(1006)
            if self.closed and 4400 <= self.closed[-1].code < 4500:
                return
            self.ended.wait(min(2**attempt, 5) * random.uniform(0.1, 1))
            attempt += 1

    def _listen(self, socket: Any) -> None:
        silent_since = time.monotonic()
        while not self.ended.is_set():
            try:
                text = socket.recv(timeout=0.1)
            except TimeoutError:
                if time.monotonic() - silent_since > SILENCE_SECONDS:
                    raise
                continue
            silent_since = time.monotonic()
            self._take(text)

    def _take(self, text: str) -> None:
        self.is_open = True
        self.frames_at.append(time.monotonic())
        if not text.startswith("{"):
            return
        message = json.loads(text)
        if message["type"] == "ping":
            self.ping = message
        elif message["type"] in ("snapshot", "update"):
            self.rankings[message["ranking"]] = message
            self.updates += message["type"] == "update"

    def _end(self, code: int) -> None:
        self.is_open = False
        self.closed.append(Closed(time.monotonic(), code))


class Poller(Watcher):
    """A program that polls the JSON API. A status of 0 is a connection that failed or took 30 s."""

    def __init__(self, site: Served, which: int = 0, cookie: str = "", path: str = "/api/rankings/") -> None:
        super().__init__(site, which, cookie)
        self.path = path
        #: The monotonic time of the end, the seconds and the status of each poll.
        self.polls: list[tuple[float, float, int]] = []

    def run(self) -> None:
        while not self.ended.wait(POLL_SECONDS):
            began, status = time.monotonic(), 0
            with suppress(OSError):
                status = self.site.get(self.path, self.which, Cookie=self.cookie).status
            ended = time.monotonic()
            self.polls.append((ended, ended - began, status))

    @property
    def statuses(self) -> dict[int, int]:
        """How often each status was the answer."""
        statuses = [status for _, _, status in self.polls]
        return {status: statuses.count(status) for status in sorted(set(statuses))}

    @property
    def slowest(self) -> float:
        """Seconds of the slowest poll."""
        return max((seconds for _, seconds, _ in self.polls), default=0.0)

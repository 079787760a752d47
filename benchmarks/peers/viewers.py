"""Viewers that speak the protocol of each peer's page: python -m benchmarks.peers.viewers.

A viewer records when a ten-digit turnover arrives that is larger than all before. A line `collect` on the
standard input prints the records as a line of JSON. The viewers are written on asyncio's protocols, because a
client that needs more time for a frame than the server does would measure itself.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import json
import os
import random
import re
import sys
import time
from typing import Any

#: Only the first state and the first product have a turnover this large; the state's is larger.
TURNOVER = re.compile(rb"\$(\d,\d{3},\d{3},\d{3})")
#: Viewers that connect at the same time.
MAX_HANDSHAKES = 20
#: Opcodes of RFC 6455, 5.2.
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Viewer(asyncio.Protocol):
    """One connection. `ready` is done once something was shown or the connection is lost."""

    path = "/"

    def __init__(self, host: str, interval: float) -> None:
        self.host = host
        self.interval = interval
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = False
        self.seen: list[tuple[int, float]] = []
        self.largest = 0
        self.rest = b""

    async def connect(self) -> None:
        host, port = self.host.split(":")
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, host, int(port))
        except OSError:
            await asyncio.sleep(0.1)
            self.connection_lost(None)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.lost = False
        self.begin()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if not self.ready.done():
            self.ready.set_result(None)

    def request(self, method: str, body: bytes = b"", **headers: str) -> None:
        headers = {"Host": self.host, "Origin": f"http://{self.host}"} | headers
        lines = [
            f"{method} {self.path} HTTP/1.1",
            *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
        ]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)

    def look(self, data: bytes, now: float) -> None:
        """Record each turnover in `data` that is larger than all before."""
        for text in TURNOVER.findall(data):
            turnover = int(text.replace(b",", b""))
            if turnover > self.largest:
                self.largest = turnover
                self.seen.append((turnover, now))

    def show(self) -> None:
        """Mark the viewer as ready."""
        if not self.ready.done():
            self.ready.set_result(None)

    def begin(self) -> None:
        """Send the first request of the connection."""
        raise NotImplementedError


class EventSource(Viewer):
    """Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

    path = "/events/"

    def begin(self) -> None:
        self.request("GET", Accept="text/event-stream")

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        # An event may arrive in two parts.
        self.rest = (self.rest + data)[-4096:]
        self.look(self.rest, now)
        if b"stream-open" in self.rest:
            self.show()


class WebSocket(Viewer):
    """The part of RFC 6455 that the servers need."""

    path = "/ws/"
    protocol = ""

    def begin(self) -> None:
        self.open = False
        key = base64.b64encode(os.urandom(16)).decode()
        extra: dict[str, Any] = {"Sec_WebSocket_Protocol": self.protocol} if self.protocol else {}
        self.request(
            "GET",
            Connection="Upgrade",
            Upgrade="websocket",
            Sec_WebSocket_Version="13",
            Sec_WebSocket_Key=key,
            **extra,
        )

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        data = self.rest + data
        at = 0
        if not self.open:
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                self.rest = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                self.transport.abort()
                return
            self.open = True
            self.opened()
        while len(data) - at >= 2:
            length, start = data[at + 1], at + 2
            if length == 126:
                length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif length == 127:
                length, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if len(data) < start + length:
                break
            self.frame(data[at] & 15, data[start : start + length], now)
            at = start + length
        self.rest = data[at:]

    def send(self, opcode: int, payload: bytes) -> None:
        # A client must mask its frames; a mask of zeros leaves the payload as it is.
        size = len(payload)
        length = bytes([128 | size]) if size < 126 else bytes([254]) + size.to_bytes(2, "big")
        self.transport.write(bytes([128 | opcode]) + length + bytes(4) + payload)

    def frame(self, opcode: int, payload: bytes, now: float) -> None:
        if opcode == PING:
            self.send(PONG, payload)
        elif opcode == CLOSE:
            self.transport.abort()
        else:
            self.look(payload, now)
            self.message(payload)

    def opened(self) -> None:
        self.show()

    def message(self, payload: bytes) -> None:
        pass


class Page(WebSocket):
    """A page of this dashboard: docs/protocol.md."""

    path = "/ws/rankings/"

    def opened(self) -> None:
        pass

    def message(self, payload: bytes) -> None:
        self.show()


class Program(Page):
    """A program that subscribes to this dashboard."""

    path = "/ws/rankings/?format=json"


class Dash(Viewer):
    """Dash's page once it is laid out: a POST each interval, unless the last one isn't answered yet."""

    path = "/_dash-update-component"

    times = 0
    waiting = False

    def begin(self) -> None:
        if self.times:
            return
        self.due = asyncio.get_running_loop().time() + random.uniform(0, self.interval)
        self.tick()

    def tick(self) -> None:
        if not self.waiting and not self.lost:
            self.ask()
        self.due += self.interval
        asyncio.get_running_loop().call_at(self.due, self.tick)

    def connection_lost(self, error: Exception | None) -> None:
        """Reconnect: the server may close the connection between two requests."""
        super().connection_lost(error)
        self.rest = b""
        self.waiting = False
        self.again = asyncio.create_task(self.connect())

    def ask(self) -> None:
        self.waiting = True
        self.times += 1
        body = json.dumps(
            {
                "output": "rankings.children",
                "outputs": {"id": "rankings", "property": "children"},
                "inputs": [{"id": "interval", "property": "n_intervals", "value": self.times}],
                "changedPropIds": ["interval.n_intervals"],
                "parsedChangedPropsIds": ["interval.n_intervals"],
            }
        ).encode()
        self.request("POST", body, Content_Type="application/json", Content_Length=str(len(body)))

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self.rest += data
        head, separator, body = self.rest.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if not separator or length is None or len(body) < int(length[1]):
            return
        self.rest = b""
        self.waiting = False
        if head.startswith(b"HTTP/1.1 200"):
            self.look(body, now)
            self.show()


class Streamlit(WebSocket):
    """Streamlit's page: it runs the script once, then each fragment when its timer fires.

    The page has the timers: handleAutoRerun in
    https://github.com/streamlit/streamlit/blob/1.67.0/frontend/app/src/App.tsx.
    """

    path = "/_stcore/stream"
    protocol = "streamlit"

    def opened(self) -> None:
        from streamlit.proto.BackMsg_pb2 import BackMsg  # noqa: PLC0415 - installed with Streamlit only
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg  # noqa: PLC0415

        self.forward, self.back = ForwardMsg, BackMsg()
        self.back.rerun_script.query_string = ""
        self.fragment = ""
        self.send(BINARY, self.back.SerializeToString())

    def message(self, payload: bytes) -> None:
        if self.ready.done():
            return
        message = self.forward.FromString(payload)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.back.rerun_script.page_script_hash = message.new_session.page_script_hash
        elif kind == "auto_rerun" and not self.fragment:
            self.fragment = self.back.rerun_script.fragment_id = message.auto_rerun.fragment_id
            self.back.rerun_script.is_auto_rerun = True
            self.due = asyncio.get_running_loop().time()
            self.plan(message.auto_rerun.interval)
        elif kind == "script_finished":
            self.show()

    def plan(self, interval: float) -> None:
        self.due += interval
        asyncio.get_running_loop().call_at(self.due, self.tick, interval)

    def tick(self, interval: float) -> None:
        if not self.transport.is_closing():
            self.send(BINARY, self.back.SerializeToString())
            self.plan(interval)


KINDS = {kind.__name__.lower(): kind for kind in (Page, Program, WebSocket, EventSource, Dash, Streamlit)}


async def connect(kind: type[Viewer], options: argparse.Namespace, viewers: list[Viewer]) -> None:
    """Connect viewers one after the other until there are enough."""
    while len(viewers) < options.count:
        viewer = kind(options.host, options.interval)
        viewers.append(viewer)
        await viewer.connect()
        await viewer.ready


async def run(options: argparse.Namespace) -> None:
    viewers: list[Viewer] = []
    tasks = [
        asyncio.create_task(connect(KINDS[options.kind], options, viewers)) for _ in range(MAX_HANDSHAKES)
    ]
    await asyncio.wait(tasks, timeout=options.cap)
    for task in tasks:
        task.cancel()
    gc.collect()
    gc.freeze()
    open_ = [viewer for viewer in viewers if viewer.ready.done() and not viewer.lost]
    write(open=len(open_))
    loop = asyncio.get_running_loop()
    while (await loop.run_in_executor(None, sys.stdin.readline)).strip() == "collect":
        write(lost=sum(viewer.lost for viewer in viewers), seen=[viewer.seen for viewer in viewers])


def write(**what: object) -> None:
    """Print a line of JSON."""
    print(json.dumps(what), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("host", help="127.0.0.1:8000")
    parser.add_argument("count", type=int)
    parser.add_argument("--interval", type=float, default=1, help="seconds between two polls")
    parser.add_argument("--cap", type=float, default=60, help="seconds within which all must connect")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()

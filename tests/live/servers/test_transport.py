"""What reaches readers, slow and fast."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from socket import socketpair
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import psutil
from twisted.internet import tcp
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from live.protocol import CloseCode
from live.servers.base import truncated
from live.servers.daphne_transport import DaphneTransport
from tests import processes
from tests.conftest import BOTH
from tests.live.servers.conftest import port_of, stalled_reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.connection import Connection

pytestmark = BOTH
STATES_QUERY = "?format=json&rankings=states-by-turnover"
#: First bytes of WebSocket frames. RFC 6455, 5.2.
TEXT, PONG = 0x81, 0x8A


def receive_until(value: float, reader: Connection) -> None:
    """Read until the first row has this value."""
    while True:
        message = json.loads(reader.recv(timeout=60))
        if message.get("rows") and message["rows"][0]["value"] == value:
            return


def frames(received: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield whole frames as a server sends them: the first byte, and the data. RFC 6455, 5.2."""
    at = 0
    while at + 2 <= len(received):
        opcode, length, begin = received[at], received[at + 1], at + 2
        if length >= 126:
            begin += 2 if length == 126 else 8
            length = int.from_bytes(received[at + 2 : begin], "big")
        if begin + length > len(received):
            return
        yield opcode, received[begin : begin + length]
        at = begin + length


def test_stalled_readers_cost_little_memory_and_delay_nobody(own_server, insert_large):
    insert_large()
    with connect(own_server.socket_url + STATES_QUERY) as other:
        receive_until(1, other)
        memory = psutil.Process(own_server.process.pid).memory_info().rss
        stalled = [stalled_reader(own_server) for _ in range(50)]
        for count in range(2, 27):
            insert_large()
            receive_until(count, other)
        growth = psutil.Process(own_server.process.pid).memory_info().rss - memory
    for reader in stalled:
        reader.close()
    # They were offered 250 MB. At most, each has one frame of 200 KB on its way.
    assert growth < 30 * 2**20


def test_a_slow_reader_gets_the_newest_snapshot_instead_of_each_one(own_server, insert_large):
    insert_large()
    with closing(stalled_reader(own_server)) as slow:
        with connect(own_server.socket_url + STATES_QUERY) as other:
            for count in range(2, 42):
                insert_large()
                receive_until(count, other)
        slow.settimeout(60)
        received = b""
        while b'"value":41.0' not in received:
            received += slow.recv(1_000_000)
    assert received.count(b'"rows"') < 36


def test_a_pong_never_interrupts_a_frame(own_server, insert_large):
    insert_large()
    with closing(stalled_reader(own_server)) as slow:
        with connect(own_server.socket_url + STATES_QUERY) as other:
            for count in range(2, 12):
                insert_large()
                receive_until(count, other)
            slow.sendall(b"\x89\x84\x00\x00\x00\x00ping")
            insert_large()
            receive_until(12, other)
        slow.settimeout(60)
        received = b""
        while b'"value":12.0' not in received or b"\x8a\x04ping" not in received:
            received += slow.recv(1_000_000)
    messages = list(frames(received.partition(b"\r\n\r\n")[2]))
    assert messages.count((PONG, b"ping")) == 1
    assert {json.loads(data)["type"] for opcode, data in messages if opcode == TEXT} >= {"hello", "update"}
    assert {opcode for opcode, _ in messages} == {PONG, TEXT}


def test_only_a_reader_that_stalls_for_long_is_dropped(kind, site_environment, tmp_path, insert_large):
    insert_large()
    environment = site_environment | processes.changed(LIVE_STALLED_SECONDS=0.5)
    with (
        getattr(processes, kind)(environment, tmp_path / "log") as site,
        closing(stalled_reader(site)),
        connect(site.socket_url + STATES_QUERY) as other,
    ):
        local = ("127.0.0.1", port_of(site))

        def subscribers() -> int:
            connections = psutil.Process(site.process.pid).net_connections("tcp")
            return sum(found.laddr == local and found.status == "ESTABLISHED" for found in connections)

        receive_until(1, other)
        for count in range(2, 200):
            insert_large()
            receive_until(count, other)
            if subscribers() == 1:
                break
        assert subscribers() == 1
        insert_large()
        receive_until(count + 1, other)


def test_a_flood_of_messages_fills_no_memory(own_server):
    """Send two million messages as fast as the server takes them."""
    memory = psutil.Process(own_server.process.pid).memory_info().rss
    with closing(stalled_reader(own_server)) as flooder:
        # The server may also stop reading instead of dropping the connection.
        flooder.settimeout(5)
        with suppress(OSError):
            for _ in range(200):
                flooder.sendall(b"\x81\x81\x00\x00\x00\x00x" * 10_000)
    processes.wait_until(lambda: processes.answers(own_server))
    assert psutil.Process(own_server.process.pid).memory_info().rss - memory < 30 * 2**20


def test_a_message_that_is_too_large_is_refused_with_its_code(own_server):
    with connect(own_server.socket_url + "?format=json") as socket:
        socket.send("x" * 5000)
        with suppress(ConnectionClosed):
            while True:
                socket.recv(timeout=60)
        assert socket.close_code == 1009


def test_a_reader_that_has_gone_before_it_is_served_is_no_error():
    ours, theirs = socketpair()
    protocol: Any = Protocol()
    connection: Any = tcp.Connection(ours, protocol, Mock())
    connection.connectionLost(Failure(ConnectionLost()))  # type: ignore[no-untyped-call]
    theirs.close()
    transport = DaphneTransport(SimpleNamespace(transport=connection, state="closed", STATE_OPEN="open"))
    transport.start(Mock(), Mock())
    assert transport.write("a message for nobody")
    transport.close("the last", CloseCode.FORBIDDEN, "for nobody")


def test_a_close_reason_is_truncated_between_characters():
    assert truncated("é" * 100) == ("é" * 61).encode()

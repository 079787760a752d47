"""What ASGI can't say, on Daphne, which is known, and on uvicorn, which stands for all others."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import threading
import time
import urllib.request
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import psutil
import psycopg2
import pytest
from django.db import connections
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from tests import processes
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from websockets.sync.connection import Connection

    from tests.processes import Server

pytestmark = BOTH
STATES = "/ws/rankings/?format=json&rankings=states-by-turnover"
#: Makes frames that no kernel takes in great numbers.
LARGE = "A state with a long name ".ljust(200_000, ".")
HANDSHAKE = (
    f"GET {STATES} HTTP/1.1\r\nHost: {{host}}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


@pytest.fixture(params=["daphne", "uvicorn"])
def own_server(
    request: pytest.FixtureRequest, site_environment: dict[str, str], tmp_path: Path
) -> Iterator[Server]:
    """A server of this test's own, for its memory and its end."""
    pytest.importorskip(request.param)
    with getattr(processes, request.param)(site_environment, tmp_path / "log") as running:
        yield running


def insert_large() -> None:
    """One more order of a state whose name is longer than the model allows."""
    with connections["risingwave"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders (orderid, itemid, qty, price, state) VALUES (1, 1, 1, 1, %s)", [LARGE]
        )


def reader_that_never_reads(server: Server) -> socket.socket:
    host, port = server.host.split(":")
    stalled = socket.socket()
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled.connect((host, int(port)))
    stalled.sendall(HANDSHAKE.format(host=server.host).encode())
    return stalled


def test_who_does_not_read_costs_little_memory_and_delays_nobody(own_server, orders):
    insert_large()
    with connect(own_server.socket_url + "?format=json&rankings=states-by-turnover") as socket_:
        newest_values(socket_, 1)
        memory = psutil.Process(own_server.process.pid).memory_info().rss
        sleepers = [reader_that_never_reads(own_server) for _ in range(50)]
        for count in range(2, 27):
            insert_large()
            newest_values(socket_, count)
        grown = psutil.Process(own_server.process.pid).memory_info().rss - memory
    for sleeper in sleepers:
        sleeper.close()
    # They were offered 250 MB: at most, each has one frame of 200 KB on its way.
    assert grown < 30 * 2**20


def close_code(socket_: Connection) -> int | None:
    """Read until the server closes."""
    try:
        while True:
            socket_.recv(timeout=20)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def newest_values(socket_, value: float) -> None:
    """Read until the first row has this value."""
    while True:
        message = json.loads(socket_.recv(timeout=20))
        if message.get("rows") and message["rows"][0]["value"] == value:
            return


def test_who_reads_slowly_gets_the_newest_not_all(own_server, orders):
    """Frames that a newer one has overtaken are never sent."""
    insert_large()
    with closing(reader_that_never_reads(own_server)) as slow:
        with connect(own_server.socket_url + "?format=json&rankings=states-by-turnover") as other:
            for count in range(2, 42):
                insert_large()
                newest_values(other, count)
        slow.settimeout(20)
        received = b""
        while b'"value":41.0' not in received:
            received += slow.recv(1_000_000)
    assert received.count(b'"rows"') < 36


def test_a_pong_does_not_come_in_the_middle_of_a_frame(own_server, orders):
    insert_large()
    with closing(reader_that_never_reads(own_server)) as slow:
        with connect(own_server.socket_url + "?format=json&rankings=states-by-turnover") as other:
            for count in range(2, 12):
                insert_large()
                newest_values(other, count)
            slow.sendall(b"\x89\x84\x00\x00\x00\x00ping")
            insert_large()
            newest_values(other, 12)
        slow.settimeout(20)
        received = b""
        while b'"value":12.0' not in received or b"\x8a\x04ping" not in received:
            received += slow.recv(1_000_000)
    messages = list(frames(received.partition(b"\r\n\r\n")[2]))
    assert messages.count((PONG, b"ping")) == 1
    assert {json.loads(data)["type"] for opcode, data in messages if opcode == TEXT} >= {"hello", "update"}
    assert {opcode for opcode, _ in messages} == {PONG, TEXT}


TEXT, PONG = 0x81, 0x8A


def frames(received: bytes) -> Iterator[tuple[int, bytes]]:
    """Whole frames as a server sends them: the first byte, and the data. RFC 6455, 5.2."""
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


@pytest.mark.parametrize("kind", ["daphne", "uvicorn"])
def test_who_takes_nothing_for_long_is_dropped_and_nobody_else(kind, site_environment, tmp_path, orders):
    pytest.importorskip(kind)
    insert_large()
    with (
        getattr(processes, kind)(
            site_environment, tmp_path / "log", application="tests.live.impatient:application"
        ) as site,
        closing(reader_that_never_reads(site)),
        connect(site.socket_url + "?format=json&rankings=states-by-turnover") as other,
    ):
        local = ("127.0.0.1", int(site.host.split(":")[1]))

        def subscribers() -> int:
            connections = psutil.Process(site.process.pid).net_connections("tcp")
            return sum(found.laddr == local and found.status == "ESTABLISHED" for found in connections)

        newest_values(other, 1)
        for count in range(2, 200):
            insert_large()
            newest_values(other, count)
            if subscribers() == 1:
                break
        assert subscribers() == 1
        insert_large()
        newest_values(other, count + 1)


def test_told_to_come_back_when_the_server_ends(own_server, orders):
    orders((1, 1, 1.0, "Ohio"))
    sockets = [connect(own_server.socket_url + "?format=json") for _ in range(10)]
    for socket_ in sockets:
        socket_.recv(timeout=20)
    own_server.process.send_signal(signal.SIGTERM)
    for socket_ in sockets:
        assert close_code(socket_) == 1012
    own_server.process.wait(5)


def test_a_stalled_reader_does_not_hold_up_the_end(own_server, orders):
    insert_large()
    with (
        closing(reader_that_never_reads(own_server)),
        connect(own_server.socket_url + "?format=json&rankings=states-by-turnover") as other,
    ):
        for count in range(2, 12):
            insert_large()
            newest_values(other, count)
        own_server.process.send_signal(signal.SIGTERM)
        own_server.process.wait(5)


@pytest.mark.parametrize("attempt", range(3))
def test_requests_in_progress_do_not_hold_up_the_end(own_server, orders, attempt):
    """Which of them Daphne cancels first is a matter of chance."""
    orders((1, 1, 1.0, "Ohio"))
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            # Refused, reset, or 503: it is about to end.
            with suppress(OSError, http.client.HTTPException):
                urllib.request.urlopen(f"{own_server.url}/partials/rankings/", timeout=20).close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.5)
        own_server.process.send_signal(signal.SIGTERM)
        own_server.process.wait(10)
    finally:
        over.set()
        for thread in threads:
            thread.join()


@contextmanager
def locked(url: str, table: str) -> Iterator[Callable[[], bool]]:
    """Nobody else reads the table; gives what tells whether somebody wants to."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table}")

        def wanted() -> bool:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
            return cursor.fetchone() is not None

        yield wanted


@contextmanager
def request_in_progress(site: Server, path: str, url: str, table: str) -> Iterator[socket.socket]:
    """Ask for what needs the table, and tell Daphne to end; the table can be read after the block."""
    port = int(site.host.split(":")[1])
    request = socket.create_connection(("127.0.0.1", port), 20)
    with locked(url, table) as wanted:
        head = f"GET {path} HTTP/1.1\r\nHost: {site.host}\r\nCookie: sessionid=0123456789abcdef\r\n\r\n"
        request.sendall(head.encode())
        processes.wait_until(wanted)
        site.process.send_signal(signal.SIGTERM)
        processes.wait_until(lambda: not listens(port))
        yield request


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    ("path", "database", "table"),
    [
        pytest.param("/", "DATABASE_URL", "django_session", id="in a thread"),
        pytest.param("/partials/rankings/", "RISINGWAVE_URL", "state_turnover", id="on the event loop"),
    ],
)
def test_a_request_in_progress_is_answered_when_daphne_ends(
    site_environment, tmp_path, path, database, table
):
    with processes.daphne(site_environment, tmp_path / "log") as site:
        with request_in_progress(site, path, site_environment[database], table) as request:
            time.sleep(0.5)  # Longer than Daphne takes to end.
        with closing(request):
            assert request.recv(4096).startswith(b"HTTP/1.1 200 ")
        assert site.process.wait(10) == 0


def test_a_request_that_hangs_does_not_hold_up_daphnes_end(site_environment, tmp_path):
    url = site_environment["DATABASE_URL"]
    with (
        processes.daphne(site_environment, tmp_path / "log") as site,
        request_in_progress(site, "/", url, "django_session") as request,
        closing(request),
    ):
        site.process.wait(10)
        assert request.recv(4096) == b""
    assert "1 requests did not end in" in site.log.read_text()


def test_a_handshake_that_hangs_does_not_hold_up_daphnes_end(site_environment, tmp_path):
    cookie = {"Cookie": "sessionid=0123456789abcdef"}
    with (
        processes.daphne(site_environment | {"LIVE_OPEN": "false"}, tmp_path / "log") as site,
        locked(site_environment["DATABASE_URL"], "django_session") as wanted,
        connect(site.socket_url, origin=Origin(site.url), additional_headers=cookie) as subscriber,
    ):
        processes.wait_until(wanted)
        site.process.send_signal(signal.SIGTERM)
        site.process.wait(10)
        with pytest.raises(ConnectionClosed):
            subscriber.recv(timeout=20)
    assert "something hangs in it" in site.log.read_text()


def test_a_flood_fills_no_memory(own_server):
    """Two million messages, as fast as they are taken, in the frames that a client masks."""
    memory = psutil.Process(own_server.process.pid).memory_info().rss
    with closing(reader_that_never_reads(own_server)) as flooder:
        flooder.settimeout(5)
        with suppress(OSError):
            for _ in range(200):
                flooder.sendall(b"\x81\x81\x00\x00\x00\x00x" * 10_000)
    assert processes.answers(own_server)
    assert psutil.Process(own_server.process.pid).memory_info().rss - memory < 30 * 2**20


def test_a_message_over_the_limit_is_refused(own_server):
    with connect(own_server.socket_url + "?format=json") as socket_:
        socket_.send("x" * 5000)
        assert close_code(socket_) == 1009


def test_daphne_is_as_it_is_known(site_environment, tmp_path):
    """Without what live/daphne.py knows it by, Daphne would be served as any other server is, unbounded."""
    program = """
import config.asgi, live.transport as transport
of = transport.of
def noting(send):
    found = of(send)
    print("TRANSPORT", type(found).__name__, flush=True)
    return found
transport.of = noting
from config.asgi import application
"""
    (tmp_path / "noting.py").write_text(program)
    environment = site_environment | {"PYTHONPATH": str(tmp_path)}
    with processes.serve(
        processes.DAPHNE, environment, tmp_path / "log", application="noting:application"
    ) as site:
        with connect(site.socket_url + "?format=json") as socket_:
            assert json.loads(socket_.recv(timeout=20))["type"] == "hello"
        assert "TRANSPORT DaphneTransport" in site.log.read_text()


def test_a_frame_is_that_of_rfc_6455():
    from live import daphne

    assert daphne.frame("é") == b"\x81\x02\xc3\xa9"
    assert daphne.frame("x" * 126) == b"\x81\x7e\x00\x7e" + b"x" * 126
    assert daphne.frame("x" * 65_536) == b"\x81\x7f" + (65_536).to_bytes(8, "big") + b"x" * 65_536


def test_a_reason_is_cut_between_characters():
    from live import sockets

    assert sockets.shortened("é" * 100) == ("é" * 61).encode()

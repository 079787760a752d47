"""What clients may take of a process on Daphne: bodies, headers, time, frames and connections."""

from __future__ import annotations

import json
import re
import socket
from contextlib import ExitStack, closing, contextmanager, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.request import urlopen

import psutil
import pytest
from websockets.sync.client import connect

from live.servers.daphne_connections import Connections
from tests import processes
from tests.conftest import BOTH
from tests.live.servers.conftest import HANDSHAKE, port_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from tests.processes import Server

pytestmark = BOTH
MANY_PARAMETERS = "&".join(f"p{number}=1" for number in range(1001))


#: Addresses of this machine: connections of other tests count until the server notices that they have ended.
PROXY, VISITOR, UPLOADER = "127.0.0.2", "127.0.0.3", "127.0.0.4"


def opened(server: Server, *lines: str, source: str = "127.0.0.1") -> socket.socket:
    """Open a connection from an address of this machine, and send the lines of a request."""
    connection = socket.create_connection(("127.0.0.1", port_of(server)), 60, (source, 0))
    connection.sendall("".join(f"{line}\r\n" for line in lines).encode("latin-1"))
    return connection


def answer_of(connection: socket.socket) -> str:
    """Read until the server closes the connection."""
    received = b""
    with suppress(ConnectionResetError):
        while data := connection.recv(65_536):
            received += data
    return received.decode("latin-1")


def post(length: str) -> tuple[str, ...]:
    return ("POST /healthz/ HTTP/1.1", "Host: localhost", length, "")


@contextmanager
def daphne(environment: dict[str, str], folder: Path, preparation: str) -> Iterator[Server]:
    """Run the site on a Daphne that begins with these lines of Python."""
    (folder / "prepared.py").write_text(f"{preparation}\nfrom config.asgi import application\n")
    with processes.daphne(
        environment | {"PYTHONPATH": str(folder)}, folder / "log", application="prepared:application"
    ) as site:
        yield site


@pytest.fixture(scope="module")
def own_daphne(
    site_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A Daphne whose memory and files nobody else uses."""
    with processes.daphne(site_environment, tmp_path_factory.mktemp("limits") / "log") as site:
        yield site


@pytest.fixture(scope="module")
def strict_daphne(
    site_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A Daphne that takes 5 connections of an address, but any number of a proxy's, and larger bodies."""
    environment = site_environment | processes.changed(
        LIVE_MAX_BODY_BYTES=1_000_000, LIVE_MAX_CONNECTIONS_PER_ADDRESS=5, LIVE_TRUSTED_PROXIES=[PROXY]
    )
    with processes.daphne(environment, tmp_path_factory.mktemp("strict") / "log") as site:
        yield site


def files_of(site: Server) -> int:
    return int(psutil.Process(site.process.pid).num_fds())


# ---- bodies


def test_a_body_is_refused_by_its_length_before_it_is_sent(server):
    for expectation in ("X-Nothing: 1", "Expect: 100-continue"):
        with opened(
            server, "POST /healthz/ HTTP/1.1", "Host: localhost", "Content-Length: 65537", expectation, ""
        ) as client:
            answer = answer_of(client)
            assert answer.startswith("HTTP/1.1 413 ")
            assert "Connection: close" in answer
            assert "100 Continue" not in answer


def test_a_body_of_unknown_length_is_refused_once_it_is_too_large(server):
    chunk = "x" * 4096
    with opened(server, *post("Transfer-Encoding: chunked")) as client:
        for _ in range(16):
            client.sendall(f"1000\r\n{chunk}\r\n".encode())
        client.sendall(b"1\r\nx\r\n")
        assert answer_of(client).startswith("HTTP/1.1 413 ")


def test_endless_bodies_take_neither_memory_nor_disk(own_daphne):
    memory = psutil.Process(own_daphne.process.pid).memory_info().rss
    block = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    for length in ("Content-Length: 500000000", "Transfer-Encoding: chunked"):
        with opened(own_daphne, *post(length)) as client, suppress(OSError):
            for _ in range(1000):
                client.sendall(block)
            pytest.fail("64 MB were taken")
    assert psutil.Process(own_daphne.process.pid).memory_info().rss - memory < 20 * 2**20


def test_bodies_that_are_not_finished_take_one_file_each(own_daphne):
    process = psutil.Process(own_daphne.process.pid)
    files = len(process.open_files())
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(opened(own_daphne, *post("Transfer-Encoding: chunked"), "1", "x"))
        processes.wait_until(lambda: len(process.net_connections("tcp")) > 20)
        with urlopen(f"{own_daphne.url}/healthz/"):
            assert len(process.open_files()) == files


def test_a_project_may_allow_larger_bodies(strict_daphne):
    with opened(strict_daphne, *post("Content-Length: 1000000"), source=UPLOADER) as client:
        client.sendall(b"x" * 1_000_000)
        assert client.recv(4096).startswith(b"HTTP/1.1 403 ")  # Without a CSRF token, but read.
    with opened(strict_daphne, *post("Content-Length: 1000001"), source=UPLOADER) as client:
        assert answer_of(client).startswith("HTTP/1.1 413 ")


# ---- requests


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(("GET /",), id="HTTP/0.9"),
        pytest.param(("GET http://other.example/ HTTP/1.1", ""), id="another site's URL"),
        pytest.param(("GET /%00 HTTP/1.1", ""), id="NUL"),
        pytest.param(("GET /%0d%0aX: HTTP/1.1", ""), id="line break"),
        pytest.param(("GET /é HTTP/1.1", ""), id="path that isn't ASCII"),
        pytest.param(("OPTIONS * HTTP/1.1", ""), id="no path"),
        pytest.param(("GET / HTTP/1.1", "Daphne-Root-Path: é", ""), id="root that isn't ASCII"),
        pytest.param(("GET / HTTP/1.1", *(f"X-{number}: 1" for number in range(101)), ""), id="101 headers"),
        pytest.param(("GET / HTTP/1.1", f"X: {'1' * 20_000}", ""), id="long header"),
        pytest.param((f"GET /{'1' * 40_000}",), id="long request line"),
        pytest.param(("POST / HTTP/1.1", f"Content-Length: {'9' * 5000}", ""), id="long length"),
        pytest.param(("POST / HTTP/1.1", "Content-Length: 1", "Content-Length: 2", ""), id="two lengths"),
        pytest.param((*post("Transfer-Encoding: chunked"), "no number"), id="no chunk"),
        pytest.param(
            ("GET / HTTP/1.1", "Upgrade: websocket", "Sec-WebSocket-Protocol: é", ""), id="subprotocol"
        ),
        pytest.param(
            (f"GET /api/rankings/?{MANY_PARAMETERS} HTTP/1.1", "Host: localhost", ""), id="1,001 parameters"
        ),
    ],
)
def test_a_malformed_request_is_answered_with_a_4xx(server, lines):
    logged = len(server.log.read_text())
    with opened(server, *lines) as client:
        assert client.recv(65_536).startswith(b"HTTP/1.1 4")
    assert "daphne" not in server.log.read_text()[logged:]


def test_a_websocket_with_too_many_parameters_is_told_so(server):
    with connect(f"{server.socket_url}?format=json&{MANY_PARAMETERS}") as client:
        assert json.loads(client.recv(timeout=60))["code"] == 4400


def test_a_websocket_with_an_unknown_path_is_refused_with_one_line(own_daphne):
    handshake = HANDSHAKE.format(host=own_daphne.host).replace("rankings", "nothing").split("\r\n")[:-1]
    for _ in range(3):
        with opened(own_daphne, *handshake) as client:
            assert answer_of(client).startswith("HTTP/1.1 403 ")
    # The line of a request comes before its answer.
    assert own_daphne.log.read_text().count("no route has this path") == 1
    assert "Traceback" not in own_daphne.log.read_text()


def test_requests_that_are_sent_together_are_all_answered(server):
    request = ("GET /healthz/ HTTP/1.1", "Host: localhost", "")
    with opened(
        server, *request * 20, "GET /healthz/ HTTP/1.1", "Host: localhost", "Connection: close", ""
    ) as client:
        assert answer_of(client).count("HTTP/1.1 200 OK") == 21


# ---- slow clients


def test_slow_clients_are_dropped_and_waiting_pages_are_not(site_environment, tmp_path):
    hasty = (
        "from live.asgi import application\n"
        "from live.servers import daphne_requests as it\n"
        "it.HEADERS_SECONDS = it.BODY_SECONDS = it.KEEP_ALIVE_SECONDS = 1"
    )
    with (
        daphne(site_environment, tmp_path, hasty) as site,
        ExitStack() as stack,
    ):
        page = stack.enter_context(connect(site.socket_url + "?format=json"))
        silent, headers, body, idle = (
            stack.enter_context(opened(site, *lines))
            for lines in (
                (),
                ("GET / HTTP/1.1",),
                post("Content-Length: 1000"),
                ("GET /healthz/ HTTP/1.1", "Host: localhost", ""),
            )
        )
        while not gone(headers, b"X: 1\r\n") or not gone(body, b"x"):
            pass
        assert answer_of(silent) == ""
        assert answer_of(idle).startswith("HTTP/1.1 200 ")
        assert page.ping().wait(60)


def gone(connection: socket.socket, data: bytes) -> bool:
    """Send the data; return whether the server has closed the connection."""
    connection.settimeout(0.1)
    try:
        connection.sendall(data)
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


# ---- frames


@pytest.mark.parametrize(
    ("first", "frame"),
    [
        pytest.param(b"", b"\x89\x80\0\0\0\0", id="pings"),
        pytest.param(b"", b"\x8a\x80\0\0\0\0", id="pongs"),
        pytest.param(b"\x01\x80\0\0\0\0", b"\x00\x80\0\0\0\0", id="parts of a message"),
    ],
)
def test_a_flood_of_frames_that_are_no_messages_is_refused(server, first, frame):
    with closing(opened(server, *HANDSHAKE.format(host=server.host).split("\r\n")[:-1])) as flooder:
        while b"hello" not in flooder.recv(65_536):
            pass
        flooder.sendall(first + frame * 100)
        answer = answer_of(flooder)
    assert '"code":4429' in answer
    assert (4429).to_bytes(2, "big") in answer.encode("latin-1")


def test_frames_are_counted_by_their_rate(monkeypatch):
    from live.servers import frame_rate

    now = 0.0
    monkeypatch.setattr(frame_rate, "time", SimpleNamespace(monotonic=lambda: now))
    rate = frame_rate.FrameRate()
    for _ in range(100_000):
        now += 20
        assert rate.allows_another()
    assert [rate.allows_another() for _ in range(60)] == [True] * 59 + [False]


# ---- connections

FEW_FILES = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (150, 150))"


def test_a_viewer_gets_in_and_stays_while_others_keep_connections_half_open(site_environment, tmp_path):
    with daphne(site_environment, tmp_path, FEW_FILES) as site, ExitStack() as stack:
        page = stack.enter_context(connect(site.socket_url + "?format=json"))
        for _ in range(400):
            with suppress(ConnectionError):
                stack.enter_context(opened(site, "GET / HTTP/1.1"))
        with urlopen(f"{site.url}/", timeout=60) as answer:
            assert answer.status == 200
        with connect(site.socket_url + "?format=json") as other:
            assert "hello" in str(other.recv(timeout=60))
        assert page.ping().wait(60)
        assert files_of(site) < 150 - 20
        log = site.log.read_text()
    assert "Too many open files" not in log
    assert len(re.findall("connections: .*", log)) <= 2


def subscribed(site: Server, source: str) -> ClientConnection:
    """Open a WebSocket from an address of this machine, and wait for its first message."""
    client = connect(site.socket_url + "?format=json", sock=opened(site, source=source))
    assert "hello" in str(client.recv(timeout=60))
    return client


def test_clients_of_a_unix_socket_have_no_address_and_no_such_limit(settings):
    settings.LIVE_MAX_CONNECTIONS_PER_ADDRESS = 5
    connections = Connections()
    for _ in range(20):
        assert connections.make_room(None)
        connections.add(object(), None)


def test_an_address_has_a_bounded_number_of_connections(strict_daphne):
    def gets_in() -> bool:
        with opened(strict_daphne, "GET /healthz/ HTTP/1.0", "", source=VISITOR) as another:
            return answer_of(another).startswith("HTTP/1.0 ")

    with ExitStack() as stack:
        first, *_ = [stack.enter_context(subscribed(strict_daphne, VISITOR)) for _ in range(5)]
        assert not gets_in()
        assert "LIVE_MAX_CONNECTIONS_PER_ADDRESS" in strict_daphne.log.read_text()
        first.close()
        processes.wait_until(gets_in)


def test_a_proxy_has_as_many_connections_as_it_wants(strict_daphne):
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(subscribed(strict_daphne, PROXY))

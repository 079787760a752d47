"""What happens to subscribers and requests when the server is told to stop."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
import urllib.request
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from tests import processes
from tests.conftest import BOTH
from tests.live.servers.conftest import PATIENCE, port_of, stalled_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websockets.sync.connection import Connection

    from tests.processes import Server

pytestmark = BOTH
COOKIE = f"sessionid={'0123456789abcdef' * 2}"
#: A page that needs the session, in a thread.
ADMIN = "/admin/"


def close_code(subscriber: Connection) -> int | None:
    """Read until the server closes."""
    with suppress(ConnectionClosed):
        while True:
            subscriber.recv(timeout=60)
    return subscriber.close_code


def assert_ended_by_itself(site: Server) -> None:
    """Wait for the end. Daphne logs if it needs longer than LIVE_SHUTDOWN_SECONDS."""
    site.process.wait(60)
    log = site.log.read_text()
    assert "left unanswered" not in log
    assert "still hangs" not in log
    assert "Traceback" not in log


def test_subscribers_are_told_to_reconnect(own_server, orders):
    orders((1, 1, 1.0, "Ohio"))
    subscribers = [connect(own_server.socket_url + "?format=json") for _ in range(10)]
    for subscriber in subscribers:
        subscriber.recv(timeout=60)
    own_server.process.send_signal(signal.SIGTERM)
    for subscriber in subscribers:
        assert close_code(subscriber) == 1012
    assert_ended_by_itself(own_server)


def test_a_stalled_reader_does_not_delay_shutdown(own_server, insert_large):
    insert_large()
    with (
        closing(stalled_reader(own_server)),
        connect(own_server.socket_url + "?format=json&rankings=states-by-turnover") as other,
    ):
        for count in range(2, 12):
            insert_large()
            while f'"value":{count}.0' not in other.recv(timeout=60):
                pass
        own_server.process.send_signal(signal.SIGTERM)
        assert_ended_by_itself(own_server)


@pytest.mark.parametrize("attempt", range(3))
def test_requests_in_progress_do_not_delay_shutdown(own_server, orders, attempt):
    """Which of them Daphne cancels first is a matter of chance."""
    orders((1, 1, 1.0, "Ohio"))
    answers = [0] * 8
    over = threading.Event()

    def ask(which: int) -> None:
        while not over.is_set():
            # The server refuses, resets, or answers 503 while it shuts down.
            with suppress(OSError, http.client.HTTPException):
                urllib.request.urlopen(f"{own_server.url}/partials/rankings/", timeout=60).close()
                answers[which] += 1

    threads = [threading.Thread(target=ask, args=[which]) for which in range(8)]
    for thread in threads:
        thread.start()
    try:
        processes.wait_until(lambda: min(answers) > 2)
        own_server.process.send_signal(signal.SIGTERM)
        own_server.process.wait(60)
        assert "left unanswered" not in own_server.log.read_text()
        assert "still hangs" not in own_server.log.read_text()
    finally:
        over.set()
        for thread in threads:
            thread.join()


@contextmanager
def locked(url: str, table: str) -> Iterator[Callable[[], bool]]:
    """Lock the table for the block; yield a function that returns whether anybody waits for a lock."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table}")

        def is_wanted() -> bool:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
            return cursor.fetchone() is not None

        yield is_wanted


@contextmanager
def request_in_progress(site: Server, path: str, url: str, table: str) -> Iterator[socket.socket]:
    """Request a page that needs the table, and tell Daphne to stop; the table is locked for the block."""
    request = socket.create_connection(("127.0.0.1", port_of(site)), 60)
    with locked(url, table) as is_wanted:
        head = f"GET {path} HTTP/1.1\r\nHost: {site.host}\r\nCookie: {COOKIE}\r\n\r\n"
        request.sendall(head.encode())
        processes.wait_until(is_wanted)
        site.process.send_signal(signal.SIGTERM)
        yield request


@pytest.mark.parametrize(
    ("path", "database", "table", "answered"),
    [
        pytest.param(ADMIN, "DATABASE_URL", "django_session", b"302", id="in a thread"),
        pytest.param("/partials/rankings/", "RISINGWAVE_URL", "state_turnover", b"200", id="on the loop"),
    ],
)
def test_a_request_in_progress_is_answered_and_later_ones_refused(
    site_environment, tmp_path, path, database, table, answered
):
    with processes.daphne(site_environment | PATIENCE, tmp_path / "log") as site:
        idle = http.client.HTTPConnection(site.host, timeout=60)
        idle.request("GET", "/healthz/")
        assert idle.getresponse().read()
        with request_in_progress(site, path, site_environment[database], table) as request:
            # Once Daphne refuses requests, it would have cancelled this one.
            status = 200
            while status == 200:
                idle.request("GET", "/healthz/")
                with idle.getresponse() as answer:
                    status, body = answer.status, answer.read()
            assert (status, body) == (503, b"The server is restarting. Try again.\n")
            assert answer.getheader("Retry-After") == "1"
            with socket.socket() as late:
                assert late.connect_ex(("127.0.0.1", port_of(site))) != 0
        with closing(request):
            assert request.recv(4096).startswith(b"HTTP/1.1 %s " % answered)
        assert site.process.wait(60) == 0


def test_connections_in_the_kernels_queue_are_answered(site_environment, tmp_path):
    with processes.daphne(site_environment | PATIENCE, tmp_path / "log") as site, ExitStack() as stack:
        site.process.send_signal(signal.SIGSTOP)
        queued = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port_of(site)), 60))
            for _ in range(200)
        ]
        head = f"GET /healthz/ HTTP/1.1\r\nHost: {site.host}\r\nConnection: close\r\n\r\n"
        for connection in queued:
            connection.sendall(head.encode())
        site.process.send_signal(signal.SIGTERM)
        site.process.send_signal(signal.SIGCONT)
        for connection in queued:
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
            connection.close()
        assert site.process.wait(60) == 0


def test_a_request_that_hangs_does_not_delay_daphnes_shutdown(site_environment, tmp_path):
    url = site_environment["DATABASE_URL"]
    # So that the query doesn't end before the process does.
    hanging = processes.changed(LIVE_QUERY_TIMEOUT_SECONDS=40)
    with (
        processes.daphne(site_environment | hanging, tmp_path / "log") as site,
        request_in_progress(site, ADMIN, url, "django_session") as request,
        closing(request),
    ):
        site.process.wait(60)
        assert request.recv(4096) == b""
    assert "requests left unanswered after 4 s: 1" in site.log.read_text()


def test_a_handshake_that_hangs_does_not_delay_daphnes_shutdown(site_environment, tmp_path):
    with (
        processes.daphne(site_environment | {"LIVE_OPEN": "false"}, tmp_path / "log") as site,
        locked(site_environment["DATABASE_URL"], "django_session") as is_wanted,
        connect(
            site.socket_url, origin=Origin(site.url), additional_headers={"Cookie": COOKIE}
        ) as subscriber,
    ):
        processes.wait_until(is_wanted)
        site.process.send_signal(signal.SIGTERM)
        site.process.wait(60)
        assert close_code(subscriber) is not None
    assert "Traceback" not in site.log.read_text()


def test_a_subscriber_after_the_shutdown_began_is_told_to_reconnect(site_environment, tmp_path):
    """Its connection was accepted before."""
    with processes.daphne(site_environment | PATIENCE, tmp_path / "log") as site:
        waiting = socket.create_connection(("127.0.0.1", port_of(site)), 60)
        with request_in_progress(site, ADMIN, site_environment["DATABASE_URL"], "django_session") as request:
            idle = http.client.HTTPConnection(site.host, timeout=60)
            processes.wait_until(lambda: not listens(idle))
            with connect(site.socket_url + "?format=json", sock=waiting) as subscriber:
                assert close_code(subscriber) == 1012
            request.close()


def listens(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.connect()
    except OSError:
        return False
    connection.close()
    return True

"""/livez, /readyz and /metrics of real servers, and what these write into their logs."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import psycopg2
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from live.operators import pages as operator_pages
from tests import processes
from tests.conftest import BOTH
from tests.live.servers.conftest import PATIENCE, port_of
from tests.live.servers.test_shutdown import ADMIN, COOKIE, locked, request_in_progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.processes import Server

pytestmark = BOTH

#: Requests that hang: more than the threads of an event loop's pool, on two cores.
HANGING = 20


def ask(connection: http.client.HTTPConnection, path: str, **headers: str) -> tuple[int, Any]:
    # A name of this machine that isn't in ALLOWED_HOSTS.
    connection.request("GET", path, headers={"Host": "127.0.0.9", **headers})
    answer = connection.getresponse()
    body = answer.read().decode()
    return answer.status, json.loads(body) if body.startswith("{") else body


def test_operators_get_answers_while_the_database_hangs(kind, site_environment, tmp_path):
    environment = site_environment | {"LIVE_OPEN": "false", "HTTPS": "true"}
    with (
        getattr(processes, kind)(environment, tmp_path / "log") as site,
        locked(site_environment["DATABASE_URL"], "django_session") as is_wanted,
        ExitStack() as stack,
    ):
        for _ in range(HANGING):
            request = stack.enter_context(socket.create_connection(("127.0.0.1", port_of(site)), 60))
            head = (
                f"GET / HTTP/1.1\r\nHost: {site.host}\r\nCookie: {COOKIE}\r\nX-Forwarded-Proto: https\r\n\r\n"
            )
            request.sendall(head.encode())
        processes.wait_until(is_wanted)
        with closing(http.client.HTTPConnection(site.host, timeout=60)) as connection:
            for path in operator_pages.PAGES:
                assert ask(connection, path)[0] == 200
                assert ask(connection, path, **{"X-Forwarded-For": "198.51.100.1"})[0] == 404
            _, body = ask(connection, "/metrics")
        assert "live_subscribers" in body


def test_a_process_that_ends_is_alive_and_not_ready(site_environment, tmp_path):
    # With patience, the request is still in progress when a busy machine asks.
    with processes.daphne(site_environment | PATIENCE, tmp_path / "log") as site, ExitStack() as stack:
        # Connections from before: a process that ends accepts no other.
        idle, refused = (
            stack.enter_context(closing(http.client.HTTPConnection(site.host, timeout=60))) for _ in range(2)
        )
        assert ask(idle, "/readyz")[0] == ask(refused, "/readyz")[0] == 200
        url = site_environment["DATABASE_URL"]
        slow = request_in_progress(site, ADMIN, url, "django_session")
        with slow as request, closing(request):
            processes.wait_until(lambda: ask(idle, "/readyz")[0] == 503)
            # Until Daphne refuses all other requests, and after.
            processes.wait_until(lambda: ask(refused, "/", Host=site.host)[0] == 503)
            assert ask(idle, "/livez") == (200, {"status": "ok"})
            _, body = ask(idle, "/readyz")
            assert body["parts"]["lifecycle"] == {"status": "failed", "reason": "the process is ending"}


@contextmanager
def renamed(url: str, table: str) -> Iterator[None]:
    """Let the table be missing for the block: an error of each query of it."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"ALTER TABLE {table} RENAME TO renamed")
        try:
            yield
        finally:
            connection.cursor().execute(f"ALTER TABLE renamed RENAME TO {table}")


SECRETS = {
    name: f"s3cret-{name}"
    for name in ("query", "cookie", "other-cookie", "header", "form", "csrf", "socket", "socket-cookie")
}
PASSWORD = "p@ss/w0rd:of-the-database"


def send_secrets(site: Server) -> None:
    """Send secrets wherever a client can, to pages that answer and to pages that refuse or fail."""
    connection = http.client.HTTPConnection(site.host, timeout=60)
    cookies = f"sessionid={SECRETS['cookie']}; csrftoken={SECRETS['csrf']}; other={SECRETS['other-cookie']}"
    headers = {
        "Cookie": cookies,
        "Authorization": f"Bearer {SECRETS['header']}",
        "X-API-Key": SECRETS["header"],
    }
    form = urlencode({"username": "somebody", "password": SECRETS["form"]})
    query = urlencode({"token": SECRETS["query"]})
    for path in (
        "/",
        "/login/",
        "/admin/",
        "/nowhere",
        f"/api/rankings/nothing/?{query}&",
        "/embed/nothing/",
    ):
        for host in (site.host, "elsewhere.example"):
            for method in ("GET", "POST"):
                fields = {"Content-Type": "application/x-www-form-urlencoded", **headers, "Host": host}
                connection.request(method, f"{path}?{query}", form if method == "POST" else None, fields)
                connection.getresponse().read()
    connection.close()
    headers["Cookie"] = f"sessionid={SECRETS['socket-cookie']}"
    for url in (site.socket_url, site.socket_url.replace("rankings", "nothing")):
        with (
            suppress(WebSocketException),
            connect(f"{url}?token={SECRETS['socket']}", additional_headers=headers) as subscriber,
        ):
            subscriber.recv(timeout=60)


def test_no_secret_gets_into_the_log(kind, site_environment, tmp_path):
    # The stand-in asks for no password, so any one is right.
    url = site_environment["DATABASE_URL"].replace("@", f":{urlencode({'': PASSWORD})[1:]}@", 1)
    environment = site_environment | {"DATABASE_URL": url, "LOG_LEVEL": "DEBUG", "LIVE_OPEN": "false"}
    with getattr(processes, kind)(environment, tmp_path / "log") as site:
        send_secrets(site)
        with renamed(site_environment["DATABASE_URL"], "django_session"):
            send_secrets(site)
        log = site.log.read_text()
    assert "django_session" in log
    assert "/nowhere" in log
    found = [secret for secret in [*SECRETS.values(), PASSWORD, "only-for-tests"] if secret in log]
    assert found == [], log

"""What viewers see while the database of the users is lost: a server that tests stop and freeze."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests import processes
from tests.conftest import BOTH
from tests.live.test_views import Answer, NoRedirects, get
from tests.live.test_websocket import messages, subscribe, wait_for_close

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.processes import Server
    from tests.standins import StandIn

# Creates both test databases: the rankings are read from one.
pytestmark = BOTH

ADD_USER = """
import django; django.setup()
from django.contrib.auth.models import User
from django.test import Client
client = Client()
client.force_login(User.objects.create_superuser("ann", password="a-good-password"))
print(client.cookies["sessionid"].value)
"""
#: How often each page is asked for while the database is lost.
REQUESTS = 20
CLOSED_PAGES = (
    "/",
    "/embed/states-by-turnover/",
    "/admin/",
    "/partials/rankings/",
    "/api/rankings/",
)


@dataclass
class Site:
    """Two servers of one site, whose users are in a database of their own."""

    users: StandIn
    open: Server
    closed: Server
    cookie: str

    def get(self, path: str) -> Answer:
        return get(self.closed, path, Cookie=self.cookie)

    def subscribe(self, server: Server):
        headers = {"Cookie": self.cookie}
        return subscribe(server, "?format=json", origin=server.url, additional_headers=headers)


@pytest.fixture(scope="module")
def site(own_standin, site_environment, tmp_path_factory) -> Iterator[Site]:
    settings = processes.changed(LIVE_LOGIN_CACHE_SECONDS=0.1, LIVE_SESSION_CHECK_SECONDS=0.5)
    users = {"DATABASE_URL": own_standin.environment["DATABASE_URL"]}
    environment = site_environment | users | settings
    added = subprocess.run(
        [sys.executable, "-c", ADD_USER],
        cwd=processes.ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    logs = tmp_path_factory.mktemp("logs")
    with (
        processes.daphne(environment, logs / "open") as opened,
        processes.daphne(environment | {"LIVE_OPEN": "false"}, logs / "closed") as closed,
    ):
        yield Site(own_standin, opened, closed, f"sessionid={added.stdout.strip()}")


@contextmanager
def killed(users: StandIn) -> Iterator[None]:
    users.stop()
    try:
        yield
    finally:
        users.start()


def frozen(users: StandIn) -> AbstractContextManager[None]:
    return users.frozen()


def post(server: Server, path: str, cookie: str, **fields: str) -> Answer:
    token = "a" * 32
    data = "&".join(f"{name}={value}" for name, value in {"csrfmiddlewaretoken": token, **fields}.items())
    request = urllib.request.Request(server.url + path, data=data.encode(), method="POST")
    request.add_header("Cookie", f"{cookie}; csrftoken={token}")
    try:
        with urllib.request.build_opener(NoRedirects).open(request, timeout=60) as response:
            return Answer(response.status, response.headers, response.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read().decode())


def log_in(
    server: Server, name: str = "ann", password: str = "a-good-password", path: str = "/login/"
) -> Answer:
    return post(server, path, "a=b", username=name, password=password)


def wait_until_back(site: Site) -> None:
    processes.wait_until(lambda: site.get("/").status == 200, site.closed.log.read_text)


@pytest.fixture(params=[killed, frozen])
def lose(request) -> Callable[[StandIn], AbstractContextManager[None]]:
    way: Callable[[StandIn], AbstractContextManager[None]] = request.param
    return way


def test_pages_that_need_users_ask_to_retry_and_admitted_sockets_stay(site: Site, lose):
    wait_until_back(site)
    begins = len(site.closed.log.read_text())
    with ExitStack() as stack:
        admitted = stack.enter_context(site.subscribe(site.closed))
        assert next(messages(admitted))["type"] == "hello"
        with lose(site.users):
            with ThreadPoolExecutor(REQUESTS) as threads:
                # For LOGIN_CACHE_SECONDS, the process still knows that this session is logged in.
                first = threads.map(site.get, CLOSED_PAGES * REQUESTS)
                assert {answer.status for answer in first} <= {200, 503}
                processes.wait_until(lambda: site.get("/api/rankings/").status == 503)
                answers = list(threads.map(site.get, CLOSED_PAGES * REQUESTS))
                answers += threads.map(lambda _: log_in(site.closed), range(REQUESTS))
                answers += threads.map(lambda _: post(site.closed, "/logout/", site.cookie), range(REQUESTS))
            answers.append(site.get("/login/"))
            assert {(answer.status, answer.headers["Retry-After"]) for answer in answers} == {(503, "5")}
            pages, api = site.get("/admin/"), site.get("/api/rankings/")
            assert "Users can&#x27;t be looked up right now." in pages.body
            assert json.loads(api.body) == {"error": "Users can't be looked up right now."}
            with site.subscribe(site.closed) as refused:
                assert wait_for_close(refused)[1] == 4513
            pings = (message for message in messages(admitted) if message["type"] == "ping")
            assert len([next(pings) for _ in range(2)]) == 2
        wait_until_back(site)
        assert next(message for message in messages(admitted) if message["type"] == "ping")
    log = site.closed.log.read_text()[begins:]
    assert log.count("users: can't be asked") == log.count("users: can be asked again") == 1
    assert "Traceback" not in log
    # Daphne's lines of requests begin with an address.
    lines = [line for line in log.splitlines() if " live." in line or " django." in line]
    # The listener for notices has an outage of its own, which ends later: here may be that of the last test.
    others = [line for line in lines if "users: " not in line]
    assert len(others) <= 4, log
    assert all("notices: " in line for line in others), log


def test_an_open_board_needs_no_users_and_asks_only_for_what_they_have_chosen(site: Site, lose):
    begins = len(site.open.log.read_text())
    with lose(site.users):
        for path in ("/embed/states-by-turnover/", "/partials/rankings/", "/api/rankings/"):
            assert get(site.open, path, Cookie=site.cookie).status == 200
        for path in ("/", "/embed/states-by-turnover/", "/partials/rankings/", "/api/rankings/"):
            assert get(site.open, path).status == 200
        with site.subscribe(site.open) as subscribed:
            assert next(messages(subscribed))["type"] == "hello"
        assert "users: can't be asked" not in site.open.log.read_text()[begins:]
        # It has the defaults.
        assert get(site.open, "/", Cookie=site.cookie).status == 200
    wait_until_back(site)
    # So has the other server.
    processes.wait_until(lambda: "users: can be asked again" in site.open.log.read_text()[begins:])


def test_admitted_sockets_are_sent_away_when_users_are_lost_for_too_long(
    site: Site, site_environment, tmp_path
):
    settings = processes.changed(LIVE_SESSION_CHECK_SECONDS=0.2, LIVE_USERS_LOST_SECONDS=1, LIVE_OPEN=False)
    users = {"DATABASE_URL": site.users.environment["DATABASE_URL"]}
    with (
        processes.daphne(site_environment | users | settings, tmp_path / "log") as server,
        site.subscribe(server) as admitted,
    ):
        assert next(messages(admitted))["type"] == "hello"
        with killed(site.users):
            assert wait_for_close(admitted)[1] == 4513


@pytest.mark.parametrize(
    "cookie",
    [
        b"x" * 10_000,
        b"",
        "\u00e9".encode() * 10,
        b"a.b:c",
        b"{}",
        b'"\\000abcdefgh"',
    ],
)
def test_a_cookie_that_is_no_session_is_nobodys(site: Site, cookie):
    wait_until_back(site)
    begins = len(site.closed.log.read_text())
    assert raw_status(site.closed, "/", cookie) == 302
    assert raw_status(site.closed, "/admin/", cookie) == 302
    assert raw_status(site.closed, "/login/", cookie) == 200
    assert raw_status(site.closed, "/api/rankings/", cookie) == 401
    assert "Traceback" not in site.closed.log.read_text()[begins:]


def raw_status(server: Server, path: str, cookie: bytes) -> int:
    """Ask with bytes in a cookie that no client library would send."""
    host, port = server.host.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connected:
        head = f"GET {path} HTTP/1.1\r\nHost: {server.host}\r\nConnection: close\r\nCookie: sessionid="
        connected.sendall(head.encode() + cookie + b"\r\n\r\n")
        return int(connected.makefile("rb").readline().split()[1])

"""Two processes behind nginx, as in examples/nginx/dashboard.conf, while one or the other is down."""

from __future__ import annotations

import http.cookiejar
import re
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.browser import badge, shows
from tests.conftest import BOTH
from tests.live.test_views import get, get_until
from tests.live.test_websocket import messages, wait_for_close
from tests.nginx import Limits, Site, behind_nginx
from tests.processes import DEADLINE_SECONDS, ROOT, Server, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = [BOTH, pytest.mark.nginx]
#: nginx terminates TLS, and tells the processes so with this header.
HTTPS = {"X_Forwarded_Proto": "https"}


@pytest.fixture(scope="module")
def site(
    nginx_program: str, site_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The dashboard, open to all. Each test leaves both processes running."""
    with behind_nginx(nginx_program, site_environment, tmp_path_factory.mktemp("nginx")) as running:
        yield running


@pytest.fixture
def closed_site(nginx_program: str, site_environment: dict[str, str], tmp_path: Path) -> Iterator[Site]:
    """The dashboard, for logged-in users."""
    with behind_nginx(nginx_program, site_environment | {"LIVE_OPEN": "false"}, tmp_path) as running:
        yield running


HOW = pytest.mark.parametrize("how", ["kill", "terminate"])
RANKING = "?format=json&rankings=states-by-turnover"


def frames(server: Server, kind: str) -> dict[str, str]:
    """Return the first message about each ranking that the process sends, by slug."""
    found: dict[str, str] = {}
    url = f"{server.socket_url}?format={kind}"
    with connect(url, origin=Origin(f"https://{server.host}"), open_timeout=60) as socket:
        while len(found) < 4:
            text = str(socket.recv(timeout=60))
            ranking = re.search(r'"type":"snapshot","ranking":"([^"]+)"|id="ranking-([^"]+)"', text)
            if ranking:
                found[ranking[1] or ranking[2]] = text
    return found


def through(site: Site, origin: str, **headers: str) -> ClientConnection:
    """Open a WebSocket through nginx, to one of the processes."""
    context = ssl.create_default_context()
    # The client reads and writes in two threads, for which Python's ssl has no lock: when TLS 1.3's session
    # tickets arrived meanwhile, 2 requests of 1,500 were never sent.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return connect(
        site.socket_url, ssl=context, origin=Origin(origin), additional_headers=headers, open_timeout=60
    )


def test_both_processes_send_the_same_bytes(site, orders):
    """Except for the time at which each first read the rows, and how long ago that was."""
    orders((1, 2, 3.0, "Ohio"), (2, 1, 5.0, None))
    moment = re.compile(r"<time [^>]*>[^<]*</time>|\d{4}-\d\d-\d\dT[\d:.]+Z")
    answers = [
        get_until(
            lambda answer: "Ohio" in answer.body and "$5" in answer.body, server, "/api/rankings/", **HTTPS
        )
        for server in site.servers.values()
    ]
    one, other = answers
    assert one.headers["ETag"] == other.headers["ETag"]
    assert moment.sub("", one.body) == moment.sub("", other.body)
    for kind in ("json", "html"):
        first, second = (
            {slug: moment.sub("", text) for slug, text in frames(server, kind).items()}
            for server in site.servers.values()
        )
        assert first == second


def test_each_process_knows_the_etags_of_the_other(site, orders):
    orders((1, 2, 3.0, "Ohio"))
    one, other = site.servers.values()
    path = "/partials/rankings/?rankings=states-by-turnover"
    tag = get_until(lambda answer: "$6" in answer.body, one, path, **HTTPS).headers["HX-PTag"]
    get_until(lambda answer: answer.status == 304, other, path, HX_Request="true", HX_PTag=tag, **HTTPS)
    path = "/api/rankings/"
    # Each process reads each ranking by itself.
    get_until(
        lambda answer: answer.headers["ETag"] == get(one, path, **HTTPS).headers["ETag"], other, path, **HTTPS
    )
    etag = get(one, path, **HTTPS).headers["ETag"]
    assert get(other, path, If_None_Match=etag, **HTTPS).status == 304


@HOW
def test_a_program_continues_whichever_process_ends(site, orders, how):
    orders((1, 2, 3.0, "Ohio"))
    command = [sys.executable, "examples/subscribe.py", site.socket_url + RANKING]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        lines = iter(program.stdout.readline, "")
        try:
            next(line for line in lines if line.endswith("Ohio $6\n"))
            for place, _ in enumerate(site.roll(how)):
                orders((1, 10 + place, 100.0, f"State {place}"))
                next(line for line in lines if f"State {place} " in line)
            assert program.poll() is None
        finally:
            program.terminate()


@HOW
def test_every_request_is_answered_whichever_process_ends(site, orders, how):
    orders((1, 2, 3.0, "Ohio"))
    askers: list[list[int]] = [[] for _ in range(4)]
    over = threading.Event()

    def ask(statuses: list[int]) -> None:
        while not over.is_set():
            statuses.append(get(site, "/partials/rankings/").status)

    def ask_all(more: int = 5) -> None:
        """Wait until each thread has more answers: no request may span the ends of both processes."""
        answered = [len(statuses) + more for statuses in askers]
        wait_until(
            lambda: all(len(statuses) > least for statuses, least in zip(askers, answered, strict=True))
        )

    threads = [threading.Thread(target=ask, args=[statuses]) for statuses in askers]
    for thread in threads:
        thread.start()
    try:
        for which in (0, 1):
            ask_all()
            site.end(which, how)
            ask_all()
            site.start(which)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    log = (site.folder / "access.log").read_text().splitlines()
    assert {status for statuses in askers for status in statuses} == {200}, "\n".join(
        line for line in log if line.startswith("5")
    )


def test_a_login_goes_through_both_processes(closed_site, orders, django_user_model):
    """Get the form from one, post it to the other, and get the page from the first again."""
    django_user_model.objects.create_user("ann", password="a-good-password")
    cookies = http.cookiejar.CookieJar()
    visitor = build_opener(HTTPCookieProcessor(cookies))
    rolling = closed_site.roll("kill")
    next(rolling)
    with visitor.open(f"{closed_site.url}/login/", timeout=60) as page:
        form = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
        assert "max-age" in page.headers["Strict-Transport-Security"]
    next(rolling)
    assert form
    fields = {"username": "ann", "password": "a-good-password", "csrfmiddlewaretoken": form[1], "next": "/"}
    request = Request(f"{closed_site.url}/login/", urlencode(fields).encode(), {"Origin": closed_site.url})
    with visitor.open(request, timeout=60) as page:
        assert "Log out ann" in page.read().decode()
    assert {cookie.name for cookie in cookies if cookie.secure} == {"csrftoken", "sessionid"}
    assert next(rolling, "both were down") == "both were down"
    next(closed_site.roll("kill"))
    with visitor.open(f"{closed_site.url}/", timeout=60) as page:
        assert "Log out ann" in page.read().decode()
    session = "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies)
    with through(closed_site, closed_site.url, Cookie=session) as socket:
        assert next(messages(socket))["type"] == "hello"


def test_messages_are_compressed_through_nginx_too(site):
    with through(site, site.url) as socket:
        assert socket.response is not None
        assert "permessage-deflate" in socket.response.headers.get("Sec-WebSocket-Extensions", "")
        assert next(messages(socket))["type"] == "hello"


def test_a_page_of_another_origin_is_refused_through_nginx_too(site):
    with through(site, "https://evil.example") as socket:
        assert wait_for_close(socket)[1] == 4403
    with through(site, site.url) as socket:
        assert next(messages(socket))["type"] == "hello"


def test_plain_http_is_redirected_to_https_whatever_headers_a_client_sends(site):
    plain = Server(f"127.0.0.1:{site.plain_port}", site.servers[0].process, site.servers[0].log)
    answer = get(plain, "/login/", **HTTPS)
    assert (answer.status, answer.headers["Location"]) == (308, "https://127.0.0.1/login/")


def test_a_request_for_another_name_is_neither_redirected_nor_served(site):
    plain = Server(f"127.0.0.1:{site.plain_port}", site.servers[0].process, site.servers[0].log)
    for server in (plain, site):
        answer = get(server, "/login/", Host="evil.example")
        assert (answer.status, answer.headers["Location"]) == (421, None)


def test_operators_do_not_ask_through_nginx(site):
    for path in ("/livez", "/readyz", "/metrics"):
        assert get(site, path).status == 404
        assert get(site.servers[0], path).status != 404


def test_the_processes_learn_the_address_of_the_client_and_nothing_that_it_made_up(site):
    for which in site.servers:
        site.end(which, "kill")
    try:
        with socket.create_server(("127.0.0.1", site.ports[0])) as process:
            asking = threading.Thread(
                target=get,
                args=(site, "/"),
                kwargs={"X_Forwarded_For": "192.0.2.7", "X_Request_ID": "made up"},
            )
            asking.start()
            process.settimeout(DEADLINE_SECONDS)
            connection, _ = process.accept()
            with connection:
                head = connection.recv(65_536).decode()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            asking.join()
    finally:
        site.start(0)
        site.start(1)
    assert re.findall(r"(?i)x-forwarded-for: (.*)\r", head) == ["127.0.0.1"]
    assert re.fullmatch("[0-9a-f]{32}", *re.findall(r"(?i)x-request-id: (.*)\r", head))


def test_one_address_may_send_a_burst_and_no_flood(nginx_program, site_environment, tmp_path):
    limits = Limits(requests_per_second=1, burst=50, connections=3)
    with behind_nginx(nginx_program, site_environment, tmp_path, limits) as limited:
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(through(limited, limited.url))
            with pytest.raises(InvalidStatus, match="429"):
                through(limited, limited.url)
        server: Any = limited  # It has the URL, which is all that get() needs.
        statuses = [get(server, "/healthz/").status for _ in range(100)]
    assert set(statuses) == {200, 429}


def test_nginx_serves_static_files_by_itself_with_long_caching(site):
    page = get(site, "/login/").body
    style = re.search(r'href="(/static/[^"]+\.[0-9a-f]{12}\.css)"', page)
    assert style
    for server in site.servers.values():
        server.process.kill()
        server.process.wait(60)
    try:
        answer = get(site, style[1])
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/css"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "max-age=315360000" in answer.headers["Cache-Control"]
        assert get(site, "/healthz/").status == 502
    finally:
        site.start(0)
        site.start(1)


# ---- in a browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@HOW
@pytest.mark.browser
def test_a_page_stays_live_whichever_process_ends(site, page, orders, how):
    orders((1, 2, 3.0, "Ohio"))
    page.goto(site.url)
    badge(page, "live")
    page.evaluate("window.mark = 'not reloaded'")
    for place, _ in enumerate(site.roll(how)):
        orders((1, 10 + place, 100.0, f"State {place}"))
        shows(page, f"State {place}")
        badge(page, "live")
    assert page.evaluate("window.mark") == "not reloaded"


@pytest.mark.browser
def test_a_polling_page_sees_no_error_whichever_process_ends(site, page, orders):
    page.route_web_socket("**", lambda socket: socket.close(code=1011))
    orders((1, 2, 3.0, "Ohio"))
    page.goto(site.url)
    badge(page, "polling")
    statuses, failed = [], []
    page.on("response", lambda response: statuses.append(response.status))
    page.on("requestfailed", lambda request: failed.append(request.url))
    for place, _ in enumerate(site.roll("kill")):
        orders((1, 10 + place, 100.0, f"State {place}"))
        shows(page, f"State {place}")
        with page.expect_response(lambda response: response.status == 304):
            pass
    badge(page, "polling")
    assert set(statuses) == {200, 304}
    assert failed == []

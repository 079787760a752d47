"""Requests that no browser sends, on a real Daphne: a 4xx, and few log lines without a traceback."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import pytest

from live.logs.refused_requests import RequestErrorFilter
from tests import processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.processes import Server

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"


@pytest.fixture(scope="module")
def site(site_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A site whose databases can't be reached, as a page of errors mustn't need one."""
    unreachable = dict.fromkeys(["DATABASE_URL", "RISINGWAVE_URL"], "postgres://root@127.0.0.1:1/none")
    log: Path = tmp_path_factory.mktemp("bad-requests") / "log"
    with processes.daphne(site_environment | unreachable, log) as running:
        yield running


def send(site: Server, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, str]:
    """Send a request as it is; return the status and the body of the answer."""
    headers = {"Host": "localhost", "Connection": "close", "Content-Length": str(len(body))} | headers
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    ip, port = site.host.split(":")
    with socket.create_connection((ip, int(port)), timeout=processes.DEADLINE_SECONDS) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + body)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, page = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), page.decode()


def test_the_line_of_a_refused_request_has_its_status(caplog: pytest.LogCaptureFixture) -> None:
    refused = {"name": "django.request", "msg": "Not Found: /nothing", "status_code": 404}
    assert not RequestErrorFilter().filter(logging.makeLogRecord(refused))
    assert [vars(line)["status_code"] for line in caplog.records] == [404]


def errors(site: Server) -> list[str]:
    """Return the lines of the log, without those of Daphne's access log, which the demo switches off."""
    return [line for line in site.log.read_text().splitlines() if " - - [" not in line]


@pytest.mark.parametrize("host", ["evil.example", "localhost\\", "[::1", "a" * 300, "localhost:x", "ä"])
def test_a_foreign_host_is_a_bad_request(site: Server, host: str) -> None:
    before = errors(site)
    for _ in range(20):
        status, page = send(site, "GET", "/login/", {"Host": host})
        assert (status, "<h1>Bad request</h1>" in page) == (400, True)
    # One a minute.
    assert len(errors(site)) - len(before) <= 2


@pytest.mark.parametrize("path", ["/login/", "/nothing"])
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "multipart/form-data"}, b"x"),
        ({"Content-Type": "multipart/form-data; boundary=ä"}, b"x"),
        ({"Content-Type": MULTIPART}, b"--x\r\nContent-Disposition: form-data; name=a"),
        ({"Content-Type": MULTIPART}, b"--x\r\nContent-Disposition: form-data; name=\x00\r\n\r\nv\r\n--x--"),
        ({"Content-Type": FORM}, b"&".join(b"a=%d" % number for number in range(1001))),
        ({"Content-Type": f"{FORM}; charset=none"}, b"username=x"),
        ({"Content-Type": FORM}, b"username=%00&password=%ff"),
        ({"Content-Type": "application/json"}, b"{"),
        ({"Cookie": "csrftoken=%00; sessionid=\xff"}, b""),
    ],
)
def test_a_form_that_cannot_be_read_is_refused(
    site: Server, headers: dict[str, str], body: bytes, path: str
) -> None:
    # With the cookie, the check of the form's token reads the form. So does Django's page of an unknown
    # address.
    status, _ = send(site, "POST", path, {"Cookie": f"csrftoken={'a' * 32}"} | headers, body)
    assert 400 <= status < 500


@pytest.mark.parametrize("path", ["/nothing", "/%ff%fe", "//evil.example", "/..", "/admin%5c"])
def test_an_unknown_address_is_a_page_without_a_database(site: Server, path: str) -> None:
    status, page = send(site, "GET", path, {})
    assert (status, "<h1>Not found</h1>" in page) == (404, True)


@pytest.mark.parametrize("path", ["/%00", "/%0d%0aSet-Cookie:x"])
def test_an_address_with_control_characters_is_a_bad_request(site: Server, path: str) -> None:
    assert send(site, "GET", path, {})[0] == 400


def test_the_log_of_all_this_is_short_and_has_no_traceback(site: Server) -> None:
    for number in range(100):
        send(site, "GET", f"/nothing/{number}", {})
    log = site.log.read_text()
    assert "Traceback" not in log
    # One a minute.
    assert log.count("Not Found") in (1, 2)


def test_a_site_without_its_static_files_answers_with_django_s_own_error(
    site_environment: dict[str, str], tmp_path: Path
) -> None:
    with processes.daphne(
        site_environment | {"STATIC_ROOT": str(tmp_path / "none")}, tmp_path / "log"
    ) as site:
        for path in ("/login/", "/nowhere/"):
            assert send(site, "GET", path, {}) == (500, "Server Error (500)")
        log = site.log.read_text()
    assert log.count("500.html: can't be rendered") == 1
    assert "daphne" not in {
        line.split(" ERROR ")[-1].split(".")[0] for line in log.splitlines() if " ERROR " in line
    }

"""Which pages may open a WebSocket, and what the log says about those that may not."""

from __future__ import annotations

import logging
from socket import create_connection
from typing import Any

import pytest
from prometheus_client import REGISTRY
from websockets.sync.client import connect

from live import origins
from live.logs.repeated_lines import RepeatedLines
from live.origins import same_origin
from tests.live.test_websocket import wait_for_close

PROXY_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


@pytest.fixture(autouse=True)
def no_lines_yet(monkeypatch, settings):
    settings.ALLOWED_HOSTS = ["example.com"]
    monkeypatch.setattr(origins, "_refusals", RepeatedLines(logging.getLogger("origins"), logging.WARNING))


def scope(origin: str | None, host: str = "example.com", *, scheme: str = "", **headers: str) -> Any:
    found = {"host": host, "origin": origin} | {
        name.replace("_", "-"): text for name, text in headers.items()
    }
    encoded = [(name.encode(), text.encode()) for name, text in found.items() if text is not None]
    return {"headers": encoded} | ({"scheme": scheme} if scheme else {})


@pytest.mark.parametrize(
    ("origin", "proto", "allowed"),
    [
        ("https://example.com", "https", True),
        ("http://example.com", "https", False),
        ("http://example.com", "https, http", False),
        ("http://example.com", "http", True),
        ("https://example.com", "http", False),
    ],
)
def test_the_scheme_of_the_origin_is_that_which_the_proxy_tells(settings, origin, proto, allowed):
    settings.SECURE_PROXY_SSL_HEADER = PROXY_HEADER
    assert same_origin(scope(origin, x_forwarded_proto=proto), missing=False) is allowed


@pytest.mark.parametrize(
    ("origin", "scheme", "allowed"),
    [
        ("http://example.com", "wss", False),
        ("https://example.com", "wss", True),
        ("http://example.com", "ws", True),
        # Daphne's scope has no scheme.
        ("https://example.com", "", True),
        ("http://example.com", "", True),
    ],
)
def test_the_scheme_of_the_origin_is_that_of_the_request_as_the_server_tells_it(origin, scheme, allowed):
    assert same_origin(scope(origin, scheme=scheme), missing=False) is allowed


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://a.example.org", True),
        ("https://a.b.example.org", True),
        ("http://a.example.org", False),
        ("https://example.net:8443", True),
        ("https://example.net", False),
        ("https://evilexample.org", False),
    ],
)
def test_trusted_origins_are_those_of_djangos_csrf_check(settings, origin, allowed):
    settings.CSRF_TRUSTED_ORIGINS = ["https://*.example.org", "https://example.net:8443"]
    assert same_origin(scope(origin), missing=False) is allowed


@pytest.mark.parametrize(
    "origin", ["http://[", "null", "", "javascript://example.com", "example.com", "//", "x" * 9000]
)
def test_an_origin_that_is_no_url_is_refused(origin):
    assert same_origin(scope(origin), missing=True) is False


@pytest.mark.parametrize(
    ("kwargs", "line"),
    [
        (
            {"origin": "https://evil.example"},
            "origin 'https://evil.example': refused a WebSocket for host 'example.com'. Add the origin to",
        ),
        (
            {"origin": "http://testserver", "host": "testserver"},
            "host 'testserver': refused a WebSocket. Add the host to ALLOWED_HOSTS.",
        ),
        ({"origin": None}, "refused a WebSocket without an Origin"),
        ({"origin": "http://example.com", "scheme": "wss"}, "set SECURE_PROXY_SSL_HEADER"),
    ],
)
def test_a_refusal_is_one_line_that_says_why_and_what_to_set(caplog, kwargs, line):
    for _ in range(50):
        assert not same_origin(scope(**kwargs), missing=False)
    [record] = caplog.records
    assert line in record.getMessage()


def test_what_outsiders_send_is_quoted_and_cut_in_the_log(caplog):
    same_origin(scope("https://x\n\x1b[2J" + "y" * 5000), missing=False)
    [record] = caplog.records
    assert record.getMessage().isprintable()
    assert len(record.getMessage()) < 250


def test_refusals_are_counted():
    def counted() -> float:
        return REGISTRY.get_sample_value("live_refused_total", {"reason": "origin"}) or 0

    before = counted()
    same_origin(scope("https://evil.example"), missing=False)
    assert counted() == before + 1


def test_the_log_of_a_server_says_why_a_host_is_refused(server):
    host, port = server.host.split(":")
    with (
        create_connection((host, int(port))) as plain,
        connect("ws://evil.example/ws/rankings/?format=json", sock=plain) as socket,
    ):
        assert wait_for_close(socket)[1] == 4403
    assert "refused a WebSocket. Add the host to ALLOWED_HOSTS." in server.log.read_text()

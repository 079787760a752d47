"""Which address a request comes from."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from live.addresses import client_address, is_operator, is_trusted_proxy, request_address, scope_address


@pytest.fixture
def proxies(settings):
    settings.LIVE_TRUSTED_PROXIES = ["10.0.0.0/8", "::1"]


def test_a_peer_that_is_no_trusted_proxy_cannot_name_another_address():
    assert client_address("203.0.113.9", "127.0.0.1") == "203.0.113.9"
    # A proxy on this machine, by default.
    assert client_address("127.0.0.1", "203.0.113.9") == "203.0.113.9"


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "127.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "127.0.0.1, 203.0.113.9 , 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("::1", "2001:db8::9", "2001:db8::9"),
        ("::ffff:10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "[2001:DB8::9]:4711", "2001:db8::9"),
        ("10.0.0.1", None, "10.0.0.1"),
    ],
)
def test_the_address_is_the_last_one_that_no_trusted_proxy_has(proxies, peer, forwarded_for, address):
    assert client_address(peer, forwarded_for) == address


@pytest.mark.parametrize(
    "forwarded_for",
    [
        "",
        ",",
        "unknown",
        "1.2.3",
        "203.0.113.9, nonsense",
        "\x00",
        "é",
        "1" * 100_000,
        "[",
        "[::1",
        "%",
        "::1%a",
    ],
)
def test_a_malformed_header_never_raises_nor_gets_into_the_address(proxies, forwarded_for):
    assert client_address("10.0.0.1", forwarded_for) in {"10.0.0.1", "::1"}


def test_an_endless_row_of_proxies_is_not_followed(proxies):
    assert client_address("10.0.0.1", "203.0.113.9," + "10.0.0.2," * 1000 + "10.0.0.3") == "10.0.0.2"


@pytest.mark.parametrize("peer", [None, "", "/run/dashboard.sock", "testserver"])
def test_a_peer_without_an_address_is_nobody(proxies, peer):
    assert client_address(peer, "203.0.113.9") == ""
    assert not is_operator("")
    assert not is_trusted_proxy("")


def test_operators_are_on_this_machine_unless_the_setting_says_otherwise(settings):
    assert is_operator("127.0.0.1")
    assert is_operator("::1")
    assert is_operator("::ffff:127.0.0.1")
    assert not is_operator("203.0.113.9")
    settings.LIVE_OPERATORS = ["203.0.113.0/24"]
    assert is_operator("203.0.113.9")
    assert not is_operator("127.0.0.1")


def test_requests_and_websockets_are_judged_alike(proxies):
    headers = [
        (b"x-forwarded-for", b"127.0.0.1"),
        (b"x_forwarded_for", b"::1"),
        (b"x-forwarded-for", b"192.0.2.7"),
    ]
    assert scope_address({"client": ["10.0.0.1", 1], "headers": headers}) == "192.0.2.7"
    assert scope_address({"client": None, "headers": headers}) == ""
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="::1, 192.0.2.7")
    assert request_address(request) == "192.0.2.7"

"""The address that a request comes from, and whether it is an operator's."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from live.conf import live_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest

    Address = IPv4Address | IPv6Address

#: Proxies in a row that a request may pass. A longer X-Forwarded-For isn't read any further.
MAX_PROXIES = 10
#: Characters of X-Forwarded-For that are read, from its end: MAX_PROXIES addresses, with their ports.
MAX_HEADER_LENGTH = 1000


def request_address(request: HttpRequest) -> str:
    """Return the address that an HTTP request comes from, as client_address() does."""
    # Not META of a request over ASGI: before Django's fix of CVE-2026-3902, X_Forwarded_For was added to it.
    scope = getattr(request, "scope", None)
    if scope is not None:
        return scope_address(scope)
    return client_address(request.META.get("REMOTE_ADDR"), request.META.get("HTTP_X_FORWARDED_FOR"))


def scope_address(scope: Any) -> str:
    """Return the address that a request or a WebSocket with this ASGI scope comes from."""
    client = scope.get("client")
    values = [value for name, value in scope.get("headers", ()) if name == b"x-forwarded-for"]
    return client_address(client[0] if client else None, b",".join(values).decode("latin-1"))


def client_address(peer: str | None, forwarded_for: str | None) -> str:
    """Return the address that a request comes from, or "" if it isn't known, as behind a Unix socket.

    That is the peer of the connection or, if the peer is one of LIVE_TRUSTED_PROXIES, what it has appended to
    X-Forwarded-For; if that is a trusted proxy too, what that one has appended; and so on. What is further
    left was sent by the client, which may have made it up.
    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-Forwarded-For
    """
    address = _parse(peer or "")
    hops = (forwarded_for or "")[-MAX_HEADER_LENGTH:].split(",")[-MAX_PROXIES:]
    while hops and address is not None and _is_in(address, live_settings.TRUSTED_PROXIES):
        hop = _parse(hops.pop())
        if hop is None:
            break
        address = hop
    return "" if address is None else str(address)


def is_trusted_proxy(address: str) -> bool:
    """Return whether the address is one of LIVE_TRUSTED_PROXIES."""
    parsed = _parse(address)
    return parsed is not None and _is_in(parsed, live_settings.TRUSTED_PROXIES)


def is_operator(address: str) -> bool:
    """Return whether the address is one of LIVE_OPERATORS."""
    parsed = _parse(address)
    return parsed is not None and _is_in(parsed, live_settings.OPERATORS)


def is_loopback(address: str) -> bool:
    """Return whether the address is one that only programs on this machine can ask from."""
    parsed = _parse(address)
    return parsed is not None and parsed.is_loopback


def is_loopback_host(host: str) -> bool:
    """Return whether a Host header names this machine as only its own programs do, or is empty.

    HTTP/1.0 has no Host, and HAProxy's health checks are HTTP/1.0.
    """
    return host.partition(":")[0].lower() in ("", "localhost") or is_loopback(host)


def _parse(text: str) -> Address | None:
    """Return an IP address, written with or without a port; None for anything else.

    An IPv4 address that a dual-stack socket shows as ::ffff:192.0.2.1 is 192.0.2.1.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        # Without the zone of a link-local address, which no network contains.
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_in(address: Address, networks: Sequence[str]) -> bool:
    return any(address in network for network in _parsed_networks(tuple(networks)))


@lru_cache(maxsize=8)
def _parsed_networks(networks: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(network) for network in networks)

"""Which pages may open a WebSocket: those of this site, and those of CSRF_TRUSTED_ORIGINS."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

from live import metrics
from live.formats import quoted
from live.logs.repeated_lines import RepeatedLines

if TYPE_CHECKING:
    from channels.consumer import _ChannelScope

_refusals = RepeatedLines(logging.getLogger(__name__), logging.WARNING)


def same_origin(scope: _ChannelScope, *, missing: bool) -> bool:
    """Return whether a page of this site opens the WebSocket; `missing` is the answer without an Origin.

    Browsers always send an Origin, so another site's page can't use a visitor's session. As in Django's CSRF
    check, the Origin must have the Host's name and port and the request's scheme, or be one of
    CSRF_TRUSTED_ORIGINS. The Host must be one of ALLOWED_HOSTS, against DNS rebinding. A refusal is logged
    with what to set. https://owasp.org/www-community/attacks/csrf
    """
    # Of repeated headers the first, which Django reads of X-Forwarded-Proto.
    headers = {name: value.decode("latin-1") for name, value in reversed(list(scope["headers"]))}
    host, origin = headers.get(b"host", ""), headers.get(b"origin")
    if not validate_host(split_domain_port(host)[0], _allowed_hosts()):
        return _refuse("host", f"host {quoted(host)}: refused a WebSocket. Add the host to ALLOWED_HOSTS.")
    if origin is None:
        return missing or _refuse(
            "missing origin",
            "origin: refused a WebSocket without an Origin. Browsers send one. Programs need format=json, "
            "and an Origin of this site unless LIVE_OPEN is True.",
        )
    refused = f"origin {quoted(origin)}: refused a WebSocket for host {quoted(host)}."
    try:
        parts = urlsplit(origin)
    except ValueError:
        return _refuse("origin", f"{refused} It isn't a URL.")
    if any(_is_trusted(parts.scheme, parts.netloc, trusted) for trusted in settings.CSRF_TRUSTED_ORIGINS):
        return True
    if parts.scheme not in {"http", "https"} or parts.netloc.lower() != host.lower():
        return _refuse("origin", f"{refused} Add the origin to CSRF_TRUSTED_ORIGINS if it may subscribe.")
    scheme = _scheme(scope, headers)
    if scheme is not None and parts.scheme != scheme:
        return _refuse(
            "scheme",
            f"{refused} The request is {scheme}. If a proxy terminates TLS, set SECURE_PROXY_SSL_HEADER to "
            "the header by which it tells so.",
        )
    return True


def _allowed_hosts() -> list[str]:
    hosts: list[str] = settings.ALLOWED_HOSTS
    # As HttpRequest.get_host() has it.
    return [".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG and not hosts else hosts


def _is_trusted(scheme: str, netloc: str, trusted: str) -> bool:
    """Return whether an origin matches a line of CSRF_TRUSTED_ORIGINS, as CsrfViewMiddleware has it."""
    allowed = urlsplit(trusted)
    return scheme == allowed.scheme and is_same_domain(netloc, allowed.netloc.lstrip("*"))


def _scheme(scope: _ChannelScope, headers: dict[bytes, str]) -> str | None:
    """Return whether the WebSocket was opened over http or https; None if nothing tells.

    Daphne 4.2 has no scheme in the scope of a WebSocket. Otherwise as HttpRequest.scheme.
    """
    if settings.SECURE_PROXY_SSL_HEADER:
        name, secure_value = settings.SECURE_PROXY_SSL_HEADER
        value = headers.get(name.removeprefix("HTTP_").replace("_", "-").lower().encode())
        if value is not None:
            return "https" if value.split(",", 1)[0].strip() == secure_value else "http"
    return {"ws": "http", "wss": "https"}.get(scope.get("scheme", ""))


def _refuse(kind: str, line: str) -> bool:
    metrics.REFUSED.labels("host" if kind == "host" else "origin").inc()
    _refusals.log(kind, line)
    return False

"""Who may look: everyone while LIVE_OPEN is set, otherwise those who have logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from channels.auth import get_user
from django.conf import settings
from django.http.request import split_domain_port, validate_host

if TYPE_CHECKING:
    from channels.consumer import _ChannelScope
    from django.http import HttpRequest


def is_open() -> bool:
    """Whether everyone may look: the setting LIVE_OPEN, by default not."""
    return bool(getattr(settings, "LIVE_OPEN", False))


async def may_look(request: HttpRequest) -> bool:
    """Whether the request's user may see the rankings. Asks for no user while the dashboard is open."""
    return is_open() or (await request.auser()).is_authenticated


async def may_subscribe(scope: _ChannelScope) -> bool:
    """The same for a WebSocket, whose scope carries a session."""
    return is_open() or (await get_user(scope)).is_authenticated


def same_origin(scope: _ChannelScope, *, missing: bool) -> bool:
    """Whether the page that opened the WebSocket is this site's; `missing`: whether it may say nothing.

    Browsers always say it; so a foreign page can't ride on a visitor's session. As in Django's CSRF check,
    the Origin's host and port must be the Host's, or the Origin one of CSRF_TRUSTED_ORIGINS; and the Host
    one of ALLOWED_HOSTS, against DNS rebinding. https://owasp.org/www-community/attacks/csrf
    """
    headers = {
        name: value.decode("latin-1") for name, value in scope["headers"] if name in {b"origin", b"host"}
    }
    host = headers.get(b"host", "")
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    origin = headers.get(b"origin")
    if origin is None:
        return missing
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    parts = urlsplit(origin)
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower()

"""Who may look: everyone while LIVE_OPEN is set, otherwise those who have logged in."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from channels.auth import get_user
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from live.conf import live_settings
from live.logins import digest, get_logins

if TYPE_CHECKING:
    from channels.consumer import _ChannelScope
    from django.http import HttpRequest


def is_open() -> bool:
    """Whether everyone may look: the setting LIVE_OPEN, by default not."""
    return live_settings.OPEN


async def may_look(request: HttpRequest) -> bool:
    """Whether the request's user may see the rankings. Asks for no user while the dashboard is open."""
    if is_open():
        return True

    async def ask() -> bool:
        return (await request.auser()).is_authenticated

    session_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return await (get_logins().ask(digest(session_key), ask) if session_key else ask())


async def may_subscribe(session_key: str | None) -> bool:
    """The same for a WebSocket, by its session's key."""
    if is_open():
        return True
    if not session_key:
        return False

    async def ask() -> bool:
        # A new store each time: what one has read, it keeps.
        session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
        return (await get_user({"session": session})).is_authenticated  # type: ignore[typeddict-item]

    return await get_logins().ask(digest(session_key), ask)


def session_key(scope: _ChannelScope) -> str | None:
    """The key of the session that a WebSocket's cookies name."""
    return scope["cookies"].get(settings.SESSION_COOKIE_NAME)


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

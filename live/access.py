"""Who may see the rankings: everyone if LIVE_OPEN is set, otherwise users who are logged in."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from channels.auth import get_user
from django.conf import settings
from django.core.exceptions import SynchronousOnlyOperation
from django.http.request import split_domain_port, validate_host

from live.conf import live_settings
from live.logins import get_logins, session_digest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from channels.consumer import _ChannelScope
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser
    from django.http import HttpRequest


def is_open() -> bool:
    """Return whether everyone may see the rankings."""
    return live_settings.OPEN


async def may_look(request: HttpRequest) -> bool:
    """Return whether the user of a request may see the rankings."""

    async def load_user() -> AbstractBaseUser | AnonymousUser:
        # Not before it is needed: with LIVE_OPEN, a project may run without AuthenticationMiddleware.
        return await request.auser()

    return await _may_look(request.COOKIES.get(settings.SESSION_COOKIE_NAME), load_user)


async def may_subscribe(session_key: str | None) -> bool:
    """Return whether the user of a session may see the rankings, for a WebSocket."""

    async def load_user() -> AbstractBaseUser | AnonymousUser:
        # A new store each time, since a store keeps what it has read.
        session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
        return await get_user({"session": session})  # type: ignore[typeddict-item]

    return await _may_look(session_key, load_user)


def may_look_now(request: HttpRequest) -> bool | None:
    """Return whether the user of a request may see the rankings, for a template tag, which can't await.

    Returns None if the user can't be looked up here, as in an asynchronous view.
    """
    if is_open():
        return True
    try:
        return hasattr(request, "user") and request.user.is_authenticated
    except SynchronousOnlyOperation:
        return None


async def _may_look(
    session_key: str | None, load_user: Callable[[], Awaitable[AbstractBaseUser | AnonymousUser]]
) -> bool:
    """Load the user only if the dashboard is closed and the session's last answer isn't cached."""
    if is_open():
        return True

    async def is_logged_in() -> bool:
        return (await load_user()).is_authenticated

    if not session_key:
        return await is_logged_in()
    return await get_logins().is_logged_in(session_digest(session_key), is_logged_in)


def session_key(scope: _ChannelScope) -> str | None:
    """Return the key of the session that a WebSocket's cookies name."""
    return scope["cookies"].get(settings.SESSION_COOKIE_NAME)


def same_origin(scope: _ChannelScope, *, missing: bool) -> bool:
    """Return whether a page of this site opened the WebSocket; `missing` is the answer without an Origin.

    Browsers always send an Origin, so another site's page can't use a visitor's session. As in Django's CSRF
    check, the Origin must have the Host's name and port, or be one of CSRF_TRUSTED_ORIGINS. The Host must be
    one of ALLOWED_HOSTS, against DNS rebinding. https://owasp.org/www-community/attacks/csrf
    """
    headers = {
        name: value.decode("latin-1") for name, value in scope["headers"] if name in {b"origin", b"host"}
    }
    host = headers.get(b"host", "")
    allowed_hosts = settings.ALLOWED_HOSTS
    if settings.DEBUG and not allowed_hosts:
        # As HttpRequest.get_host() has it.
        allowed_hosts = [".localhost", "127.0.0.1", "[::1]"]
    if not validate_host(split_domain_port(host)[0], allowed_hosts):
        return False
    origin = headers.get(b"origin")
    if origin is None:
        return missing
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    parts = urlsplit(origin)
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower()

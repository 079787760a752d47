"""Who may see the rankings: everyone if LIVE_OPEN is set, otherwise users who are logged in."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from channels.auth import get_user
from django.conf import settings
from django.core.exceptions import SynchronousOnlyOperation

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

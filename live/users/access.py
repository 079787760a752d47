"""Who may see the rankings: everyone if LIVE_OPEN is set, otherwise users who are logged in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import SynchronousOnlyOperation

from live.conf import live_settings
from live.users import database as users_database
from live.users.logins import get_logins, session_digest
from live.users.session_cookies import session_key

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.http import HttpRequest


def is_open() -> bool:
    """Return whether everyone may see the rankings."""
    return live_settings.OPEN


async def may_look(request: HttpRequest) -> bool:
    """Return whether the user of a request may see the rankings. Raises UsersUnavailableError."""

    async def is_logged_in() -> bool:
        # Not before it is needed: with LIVE_OPEN, a project may run without AuthenticationMiddleware.
        return (await users_database.ask(request.auser)).is_authenticated

    if is_open():
        return True
    key = session_key(request.COOKIES)
    if key is None:
        return await is_logged_in()
    return await get_logins().is_logged_in(session_digest(key), is_logged_in)


async def may_subscribe(key: str | None) -> bool:
    """Return whether the session with this key may see the rankings, for a WebSocket.

    Raises UsersUnavailableError.
    """
    if is_open():
        return True
    if key is None:
        return False
    logins = get_logins()
    return await logins.is_logged_in(session_digest(key), partial(logins.look_up, key))


async def viewer(request: HttpRequest) -> AbstractBaseUser | AnonymousUser | None:
    """Return the user of a request for a page that offers to log out or in; None if it isn't known.

    An open dashboard needs no users: it goes on while their database is lost, and without
    AuthenticationMiddleware. Raises UsersUnavailableError where a login is needed.
    """
    if not is_open():
        return await users_database.ask(request.auser)
    if session_key(request.COOKIES) is None:
        return AnonymousUser()
    try:
        return await users_database.ask(request.auser) if hasattr(request, "auser") else None
    except users_database.UsersUnavailableError:
        return None


def may_look_now(request: HttpRequest) -> bool | None:
    """Return whether the user of a request may see the rankings, for a template tag, which can't await.

    Returns None if the user can't be looked up here, as in an asynchronous view, or not now.
    """
    if is_open():
        return True
    try:
        return hasattr(request, "user") and request.user.is_authenticated
    except (SynchronousOnlyOperation, users_database.UsersUnavailableError):
        return None

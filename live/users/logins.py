"""Remembers which sessions are logged in, and closes the sockets of sessions that end.

The database is asked once every few seconds per session, however often it polls or reconnects, and every few
seconds about all sessions with sockets together.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Protocol

from django.db import connections

from live.conf import MAX_CACHED_SESSIONS, MAX_SINGLE_SESSION_CHECKS, live_settings
from live.logs.repeated_lines import RepeatedLines
from live.loops import PerLoop
from live.users import database as users_database
from live.users import deadlines, session_checks
from live.users.notices import Channel, announce, get_notices

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from django.http import HttpRequest

_lines = RepeatedLines(logging.getLogger(__name__), logging.ERROR)
#: One thread, so that a database that hangs takes one.
_executor = ThreadPoolExecutor(1, thread_name_prefix="sessions")


class SessionSocket(Protocol):
    """A socket that may stay open as long as its session is logged in."""

    def on_logout(self) -> None:
        """Close: the session has ended."""

    def on_users_lost(self) -> None:
        """Close: nobody knows any more whether the session is still logged in."""


class Logins:
    """The cached answers and the open sockets of each session, for one event loop.

    A session is named by session_digest() of its key.
    """

    def __init__(self) -> None:
        #: By session: when the answer expires, on the monotonic clock, and the answer.
        self._answers: dict[str, tuple[float, asyncio.Future[bool]]] = {}
        self._sockets: dict[str, set[SessionSocket]] = {}
        #: The keys of the sessions with sockets, those that were checked least recently first.
        self._keys: dict[str, str] = {}
        #: Keys that wait to be looked up together.
        self._asked: dict[str, asyncio.Future[bool]] = {}
        self._lookup: asyncio.Task[None] | None = None
        #: When the database was last asked about the sessions, on the monotonic clock.
        self._checked_at = 0.0
        self._checks: asyncio.Task[None] | None = None

    async def is_logged_in(self, session: str, ask: Callable[[], Awaitable[bool]]) -> bool:
        """Return whether the session is logged in; await `ask()` if no answer is cached.

        Concurrent callers share one call. What `ask` raises is raised to all of them and not cached.
        """
        now = time.monotonic()
        expires_at, answer = self._answers.get(session, (0.0, None))
        if answer is None or now >= expires_at or answer.cancelled():
            answer = asyncio.ensure_future(ask())
            self._cache(session, answer)
        try:
            # A caller that is cancelled must not cancel the others' answer.
            return await asyncio.shield(answer)
        except Exception:
            self._answers.pop(session, None)
            raise

    async def look_up(self, key: str) -> bool:
        """Ask the database whether the session with this key is logged in.

        Those who ask while a query runs share the next one. Raises UsersUnavailableError.
        """
        answer = self._asked.get(key)
        if answer is None:
            answer = self._asked[key] = asyncio.get_running_loop().create_future()
            if self._lookup is None or self._lookup.done():
                self._lookup = asyncio.create_task(self._look_up_all(), context=contextvars.Context())
        return await asyncio.shield(answer)

    async def _look_up_all(self) -> None:
        while self._asked:
            # Each other session takes queries of its own. Together they must take less than a request waits.
            most = len(self._asked) if session_checks.is_bulk() else MAX_SINGLE_SESSION_CHECKS
            asked = {key: self._asked.pop(key) for key in list(self._asked)[:most]}
            try:
                logged_in = await _logged_in(list(asked))
            except Exception as error:  # noqa: BLE001 - raised to those who asked
                for answer in asked.values():
                    answer.set_exception(error)
                    answer.exception()  # Or asyncio would log it, if all who asked have left.
            else:
                for key, answer in asked.items():
                    answer.set_result(key in logged_in)

    def add_socket(self, key: str, socket: SessionSocket) -> None:
        """Call the socket's on_logout when the session with this key ends, in this process or another.

        Call its on_users_lost when the database hasn't been asked for USERS_LOST_SECONDS.
        """
        session = session_digest(key)
        get_notices().follow(Channel.LOGOUT, self.log_out)
        self._sockets.setdefault(session, set()).add(socket)
        self._keys.setdefault(session, key)
        if self._checks is None:
            self._checked_at = time.monotonic()
            # Without the context of the request that came first, whose id its log lines would have.
            self._checks = asyncio.create_task(self._check_sessions(), context=contextvars.Context())

    def remove_socket(self, key: str, socket: SessionSocket) -> None:
        """Undo add_socket. Does nothing if the socket wasn't added."""
        session = session_digest(key)
        sockets = self._sockets.get(session, set())
        sockets.discard(socket)
        if not sockets:
            self._sockets.pop(session, None)
            self._keys.pop(session, None)
        if self._sockets:
            return
        get_notices().unfollow(Channel.LOGOUT)
        if self._checks is not None:
            # The checks that close the last socket must not cancel themselves: they end by themselves.
            if self._checks is not asyncio.current_task():
                self._checks.cancel()
            self._checks = None

    async def _check_sessions(self) -> None:
        """Check all sessions with sockets every few seconds, as long as there are some."""
        while self._sockets:
            await asyncio.sleep(live_settings.SESSION_CHECK_SECONDS)
            try:
                await self.check_sessions()
            except users_database.UsersUnavailableError:
                self._leave_after_a_while()
            except Exception as error:  # noqa: BLE001
                # Without checks nobody would ever be sent away.
                _lines.log("check", "sessions: can't be checked", error)
                self._leave_after_a_while()

    async def check_sessions(self) -> None:
        """Check the sessions with sockets; close the sockets of those that aren't logged in any more.

        Raises UsersUnavailableError.
        """
        checked = list(self._keys.items())
        if not session_checks.is_bulk():
            checked = checked[:MAX_SINGLE_SESSION_CHECKS]
        logged_in = await _logged_in([key for _, key in checked])
        self._checked_at = time.monotonic()
        for session, key in checked:
            if key not in logged_in:
                self.log_out(session)
            elif session in self._keys:
                self._keys[session] = self._keys.pop(session)

    def _leave_after_a_while(self) -> None:
        if time.monotonic() - self._checked_at < live_settings.USERS_LOST_SECONDS:
            return
        for sockets in list(self._sockets.values()):
            for socket in tuple(sockets):
                socket.on_users_lost()

    def log_out(self, session: str) -> None:
        """Close the session's sockets.

        The answer "no" is cached, because the database may still have the session.
        """
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(False)
        self._cache(session, answer)
        for socket in tuple(self._sockets.get(session, ())):
            socket.on_logout()

    def forget(self, session: str) -> None:
        """Ask the database the next time."""
        self._answers.pop(session, None)

    def _cache(self, session: str, answer: asyncio.Future[bool]) -> None:
        self._answers.pop(session, None)
        if len(self._answers) >= MAX_CACHED_SESSIONS:
            del self._answers[next(iter(self._answers))]  # The oldest.
        self._answers[session] = time.monotonic() + live_settings.LOGIN_CACHE_SECONDS, answer


async def _logged_in(keys: Sequence[str]) -> set[str]:
    """Return those of the keys whose sessions are logged in. Raises UsersUnavailableError."""

    async def ask() -> set[str]:
        # With the context, by which live.postgresql knows that viewers wait.
        query = partial(contextvars.copy_context().run, _query, keys)
        return await asyncio.get_running_loop().run_in_executor(_executor, query)

    return await users_database.ask(ask)


def _query(keys: Sequence[str]) -> set[str]:
    connection = connections[users_database.alias()]
    try:
        connection.ensure_connection()
        with deadlines.within(connection, live_settings.REQUEST_WAIT_SECONDS):
            return session_checks.logged_in(keys)
    finally:
        connection.close()


get_logins = PerLoop(Logins)


def on_logged_in(request: HttpRequest | None, **_: object) -> None:
    """Forget the session's cached answer. Receives Django's user_logged_in, in any thread."""
    if session := _session(request):
        _call_on_all_loops(Logins.forget, session)


def on_logged_out(request: HttpRequest | None, **_: object) -> None:
    """Close the session's sockets in all processes. Receives Django's user_logged_out, in any thread."""
    if session := _session(request):
        _call_on_all_loops(Logins.log_out, session)
        announce(Channel.LOGOUT, session)


def _session(request: HttpRequest | None) -> str | None:
    key = getattr(getattr(request, "session", None), "session_key", None)
    return session_digest(key) if key else None


def _call_on_all_loops(method: Callable[[Logins, str], None], session: str) -> None:
    for loop, logins in get_logins.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(method, logins, session)


def session_digest(session_key: str) -> str:
    """Return a hash that names the session in memory and in NOTIFY: the key itself would give access."""
    return hashlib.sha256(session_key.encode()).hexdigest()

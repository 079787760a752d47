"""Remembers which sessions are logged in, and closes the sockets of sessions that log out.

The database is asked once every few seconds per session, however often it polls or reconnects.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

from live import logouts
from live.conf import MAX_CACHED_SESSIONS, MAX_LISTENER_RETRY_SECONDS, live_settings
from live.loops import PerLoop
from live.outages import Outage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.http import HttpRequest


class SessionSocket(Protocol):
    """A socket that may stay open as long as its session is logged in."""

    def on_logout(self) -> None:
        """Close: the session has ended."""

    def on_missed_logouts(self) -> None:
        """Check the login again once cached answers have expired: the logout may have been missed."""


class Logins:
    """The cached answers and the open sockets of each session, for one event loop.

    A session is named by session_digest() of its key.
    """

    def __init__(self) -> None:
        #: By session: when the answer expires, on the monotonic clock, and the answer.
        self._answers: dict[str, tuple[float, asyncio.Future[bool]]] = {}
        self._sockets: dict[str, set[SessionSocket]] = {}
        self._outage = Outage("logouts", "be received from other processes", MAX_LISTENER_RETRY_SECONDS)
        #: Runs while there are sockets.
        self._listener: logouts.LogoutListener | None = None

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

    def add_socket(self, session: str, socket: SessionSocket) -> None:
        """Call the socket's on_logout when the session ends, in this process or another."""
        self._listen()
        self._sockets.setdefault(session, set()).add(socket)

    def remove_socket(self, session: str, socket: SessionSocket) -> None:
        """Undo add_socket. Does nothing if the socket wasn't added."""
        sockets = self._sockets.get(session, set())
        sockets.discard(socket)
        if not sockets:
            self._sockets.pop(session, None)
        if not self._sockets and self._listener is not None:
            self._listener.stop()
            self._listener = None

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

    def _listen(self) -> None:
        if self._listener is not None or not logouts.is_supported():
            return
        loop = asyncio.get_running_loop()

        def call(callback: Callable[..., None], *args: object) -> None:
            with suppress(RuntimeError):  # The loop is closed.
                loop.call_soon_threadsafe(callback, *args)

        self._listener = logouts.LogoutListener(
            partial(call, self.log_out), partial(call, self._on_missed_logouts), self._outage
        )
        self._listener.start()

    def _on_missed_logouts(self) -> None:
        for sockets in self._sockets.values():
            for socket in sockets:
                socket.on_missed_logouts()

    def _cache(self, session: str, answer: asyncio.Future[bool]) -> None:
        self._answers.pop(session, None)
        if len(self._answers) >= MAX_CACHED_SESSIONS:
            del self._answers[next(iter(self._answers))]  # The oldest.
        self._answers[session] = time.monotonic() + live_settings.LOGIN_CACHE_SECONDS, answer


get_logins = PerLoop(Logins)


def on_logged_in(request: HttpRequest | None, **_: object) -> None:
    """Forget the session's cached answer. Receives Django's user_logged_in, in any thread."""
    if session := _session(request):
        _call_on_all_loops(Logins.forget, session)


def on_logged_out(request: HttpRequest | None, **_: object) -> None:
    """Close the session's sockets in all processes. Receives Django's user_logged_out, in any thread."""
    if session := _session(request):
        _call_on_all_loops(Logins.log_out, session)
        logouts.announce(session)


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

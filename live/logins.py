"""Who has logged in, and which sockets end with a logout.

The database is asked once every few seconds a session, whoever polls or comes back.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from live import logouts
from live.conf import MAX_CACHED_SESSIONS, live_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.http import HttpRequest


class Holder(Protocol):
    """A socket that is open by virtue of a session."""

    def log_out(self) -> None:
        """The session has ended."""

    def doubt(self) -> None:
        """The session may have ended unheard: ask when the answer that holds now doesn't any more."""


class Logins:
    """The answers, and the sockets, by session. All of it on one event loop."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[float, asyncio.Future[bool]]] = {}
        self._holders: dict[str, set[Holder]] = {}
        #: Listens while there are holders.
        self._listener: logouts.LogoutListener | None = None

    async def ask(self, session: str, ask: Callable[[], Awaitable[bool]]) -> bool:
        """Whether the session is somebody's who has logged in; `ask` is awaited if that isn't known.

        All who ask at once share one question. Raises what `ask` raises, and keeps nothing then.
        """
        now = time.monotonic()
        until, answer = self._answers.get(session, (0.0, None))
        if answer is None or now >= until or answer.cancelled():
            answer = asyncio.ensure_future(ask())
            self._keep(session, answer)
        try:
            # Whoever goes away must not take the others' answer along.
            return await asyncio.shield(answer)
        except Exception:
            self._answers.pop(session, None)
            raise

    def hold(self, session: str, holder: Holder) -> None:
        """Tell it when the session ends, in whichever process."""
        self._listen()
        self._holders.setdefault(session, set()).add(holder)

    def release(self, session: str, holder: Holder) -> None:
        """Tell it no more; no error if it isn't told."""
        holders = self._holders.get(session, set())
        holders.discard(holder)
        if not holders:
            self._holders.pop(session, None)
        if not self._holders and self._listener is not None:
            self._listener.stop()
            self._listener = None

    def end(self, session: str) -> None:
        """The session has ended, or ends now: while it still is in the database, the answer is no."""
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(False)
        self._keep(session, answer)
        for holder in tuple(self._holders.get(session, ())):
            holder.log_out()

    def forget(self, session: str) -> None:
        """Ask anew next time."""
        self._answers.pop(session, None)

    def _listen(self) -> None:
        if self._listener is not None or not logouts.can_tell():
            return
        loop = asyncio.get_running_loop()

        def call(callback: Callable[..., None], *args: object) -> None:
            with suppress(RuntimeError):  # The loop has been closed.
                loop.call_soon_threadsafe(callback, *args)

        self._listener = logouts.LogoutListener(partial(call, self.end), partial(call, self._doubt))
        self._listener.start()

    def _doubt(self) -> None:
        for holders in self._holders.values():
            for holder in holders:
                holder.doubt()

    def _keep(self, session: str, answer: asyncio.Future[bool]) -> None:
        self._answers.pop(session, None)
        if len(self._answers) >= MAX_CACHED_SESSIONS:
            del self._answers[next(iter(self._answers))]  # The oldest.
        self._answers[session] = time.monotonic() + live_settings.LOGIN_CACHE_SECONDS, answer


_logins: WeakKeyDictionary[asyncio.AbstractEventLoop, Logins] = WeakKeyDictionary()


def get_logins() -> Logins:
    """Those of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _logins:
        _logins[loop] = Logins()
    return _logins[loop]


def on_logged_in(request: HttpRequest | None, **_: object) -> None:
    """Forget the answer of before. A receiver of Django's user_logged_in, in any thread."""
    if session := _session(request):
        _tell(session, Logins.forget)


def on_logged_out(request: HttpRequest | None, **_: object) -> None:
    """Close the session's sockets, in all processes. A receiver of user_logged_out, in any thread."""
    if session := _session(request):
        _tell(session, Logins.end)
        logouts.tell(session)


def _session(request: HttpRequest | None) -> str | None:
    key = getattr(getattr(request, "session", None), "session_key", None)
    return digest(key) if key else None


def _tell(session: str, method: Callable[[Logins, str], None]) -> None:
    for loop, logins in list(_logins.items()):
        if not loop.is_closed():
            loop.call_soon_threadsafe(method, logins, session)


def digest(session_key: str) -> str:
    """What a session is kept by: the key itself would let whoever reads it in."""
    return hashlib.sha256(session_key.encode()).hexdigest()

"""Who has logged in, and which sockets end with a logout.

The database is asked once every few seconds a session, whoever polls or comes back.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.http import HttpRequest

#: Seconds for which an answer holds: so long, a session that was ended in another process may go on here.
HOLDS = 5.0
#: Sessions whose answers are kept.
MOST = 10_000


class Holder(Protocol):
    """A socket that is open by virtue of a session."""

    def log_out(self) -> None:
        """The session has ended."""


class Logins:
    """The answers, and the sockets, by session. All of it on one event loop."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[float, asyncio.Future[bool]]] = {}
        self._holders: dict[str, set[Holder]] = {}

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
        """Tell it when the session ends."""
        self._holders.setdefault(session, set()).add(holder)

    def release(self, session: str, holder: Holder) -> None:
        """Tell it no more; no error if it isn't told."""
        holders = self._holders.get(session, set())
        holders.discard(holder)
        if not holders:
            self._holders.pop(session, None)

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

    def _keep(self, session: str, answer: asyncio.Future[bool]) -> None:
        self._answers.pop(session, None)
        if len(self._answers) >= MOST:
            del self._answers[next(iter(self._answers))]  # The oldest.
        self._answers[session] = time.monotonic() + HOLDS, answer


_logins: WeakKeyDictionary[asyncio.AbstractEventLoop, Logins] = WeakKeyDictionary()


def get_logins() -> Logins:
    """Those of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _logins:
        _logins[loop] = Logins()
    return _logins[loop]


def on_logged_in(request: HttpRequest | None, **_: object) -> None:
    """Forget the answer of before. A receiver of Django's user_logged_in, in any thread."""
    _tell(request, Logins.forget)


def on_logged_out(request: HttpRequest | None, **_: object) -> None:
    """Close the session's sockets. A receiver of Django's user_logged_out, in any thread."""
    _tell(request, Logins.end)


def _tell(request: HttpRequest | None, method: Callable[[Logins, str], None]) -> None:
    session = getattr(request, "session", None)
    if session is None or not session.session_key:
        return
    for loop, logins in list(_logins.items()):
        if not loop.is_closed():
            loop.call_soon_threadsafe(method, logins, digest(session.session_key))


def digest(session_key: str) -> str:
    """What a session is kept by: the key itself would let whoever reads it in."""
    return hashlib.sha256(session_key.encode()).hexdigest()

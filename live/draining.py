"""Lets requests come to their end before Daphne does, and begins no more of them.

When Daphne ends it cancels the requests in progress, waits for the first of them only, and stops the loop.
Who asked is left without an answer. Worse, Django answers in a thread, which waits for the loop now and then:
such a thread does so for ever, and the process for the thread. See kill_all_applications() in
https://github.com/django/daphne/blob/4.2.3/daphne/server.py
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from live import daphne
from live.conf import live_settings

if TYPE_CHECKING:
    from live.transport import App, Send

logger = logging.getLogger(__name__)

#: Seconds in which those whose connection has just been accepted send their request.
GRACE = 0.1


class DrainingMiddleware:
    """Around an ASGI application for HTTP, on Daphne; other servers wait for requests themselves."""

    def __init__(self, inner: App) -> None:
        self.inner = inner
        self._running: set[asyncio.Task[None]] = set()
        self._watching = self._closed = False

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        if not self._watching:
            self._watching = True
            daphne.before_end(self._end)
        if self._closed:
            await _refuse(send)
            return
        request: Any = asyncio.current_task()
        self._running.add(request)
        request.add_done_callback(self._running.discard)
        await self.inner(scope, receive, send)

    async def _end(self) -> None:
        daphne.stop_listening()
        await asyncio.sleep(GRACE)
        self._closed = True
        limit = live_settings.DRAIN_SECONDS
        if self._running:
            await asyncio.wait(self._running, timeout=limit)
        if self._running:
            logger.error(
                "%s requests did not end in %s s, and are left unanswered", len(self._running), limit
            )


async def _refuse(send: Send) -> None:
    """Answer on a connection that was open before: another process will do."""
    headers = [(b"content-type", b"text/plain"), (b"retry-after", b"1"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b"The server restarts. Try again.\n"})

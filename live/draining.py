"""Lets requests come to their end before the server does, and begins no more of them.

Django answers a request in a thread, which waits for the event loop now and then. When Daphne is asked to
end it cancels the requests, waits for the first of them only, and stops the loop: a thread that waits for the
loop then does so for ever, and the process for the thread. See kill_all_applications() in
https://github.com/django/daphne/blob/4.2.3/daphne/server.py
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any

from live import transport

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from live.transport import App, Send

logger = logging.getLogger(__name__)

#: Seconds that requests have to come to their end. One may hang as long as its database does.
LIMIT = 3.0


class DrainingMiddleware:
    """Around an ASGI application for HTTP, on Daphne; other servers wait for requests themselves."""

    def __init__(self, inner: App) -> None:
        self.inner = inner
        self._begun = False
        self._running = 0
        #: Done when the last request is, once the server is about to end.
        self._drained: asyncio.Future[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        if not self._begun:
            self._begun = True
            transport.before_shutdown(self._end)
        if self._drained is not None:
            await _refuse(send)
            return
        self._running += 1
        try:
            await self.inner(scope, receive, send)
        finally:
            self._running -= 1
            self._check()

    def _end(self) -> Coroutine[Any, Any, None]:
        # At once, not when the coroutine begins: no request comes between.
        self._drained = asyncio.get_running_loop().create_future()
        transport.stop_listening()
        self._check()
        return self._wait(self._drained)

    def _check(self) -> None:
        if self._drained is not None and not self._running and not self._drained.done():
            self._drained.set_result(None)

    async def _wait(self, drained: asyncio.Future[None]) -> None:
        await asyncio.wait([drained], timeout=LIMIT)
        if not drained.done():
            logger.error("%s requests did not end within %s s, and are left unanswered", self._running, LIMIT)
            logging.shutdown()
            os._exit(1)  # Any other exit waits for their threads.


async def _refuse(send: Send) -> None:
    """Answer on a connection that was open before: another process will do."""
    headers = [(b"content-type", b"text/plain"), (b"retry-after", b"1"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b"The server restarts. Try again.\n"})

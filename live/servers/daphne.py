"""Daphne, from the first connection to the end of the process. Imported only where Daphne runs.

Daphne has neither ASGI's lifespan protocol nor a graceful shutdown. When it ends it cancels the requests in
progress, waits for the first of them only, and stops the event loop. Clients get no answer. Worse, a
synchronous view runs in a thread that now and then waits for the event loop: such a thread waits for ever,
and the process waits for the thread.
https://github.com/django/daphne/blob/4.2.3/daphne/server.py (kill_all_applications)
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from daphne.ws_protocol import WebSocketProtocol  # type: ignore[import-untyped]
from twisted.internet import reactor as _reactor
from twisted.internet import tcp

from live.conf import live_settings
from live.servers.asgi import ASGITransport
from live.servers.base import Server
from live.servers.daphne_transport import DaphneTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from live.servers.base import App, Receive, Scope, Send, Transport

logger = logging.getLogger(__name__)
#: Its type depends on the platform, which its stubs don't say.
reactor: Any = _reactor

#: Connections that the kernel queues at most: the `backlog` that docs/settings.md gives Daphne.
MAX_QUEUED_CONNECTIONS = 2048
#: Seconds for connections that have just been accepted to send their request.
REQUEST_SECONDS = 0.1


def is_running() -> bool:
    """Return whether Daphne runs this process, and isn't only imported."""
    return bool(reactor.running)


class DaphneServer(Server):
    """Daphne with a graceful shutdown: it drains requests, sends subscribers away, and ends in time.

    For this, `reactor.stop` is replaced; Twisted's signal handlers and Daphne call it. A trigger before the
    reactor's shutdown comes too late, because Daphne cancels all requests in an earlier one.
    https://docs.twisted.org/en/stable/core/howto/basics.html
    Delete all of this when Daphne drains connections (https://github.com/django/daphne/issues/177), and
    `on_shutdown` when it speaks lifespan (https://github.com/django/daphne/pull/570).
    """

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], Coroutine[Any, Any, None]]] = [self._drain]
        self._requests: set[asyncio.Task[None]] = set()
        self._refuses_requests = False
        self._shutdown: asyncio.Task[None] | None = None
        self._stop_reactor: Callable[[], None] = reactor.stop
        reactor.stop = self._begin_shutdown

    def transport(self, send: Send) -> Transport:
        """Return Daphne's own transport, or any server's where the connection isn't a plain socket.

        Daphne gives its applications `partial(server.handle_reply, protocol)`. A middleware that wraps `send`
        hides that, and so does TLS in Daphne, which is better left to a proxy.
        """
        if isinstance(send, partial) and send.args:
            protocol = send.args[0]
            if isinstance(protocol, WebSocketProtocol) and isinstance(protocol.transport, tcp.Connection):
                return DaphneTransport(protocol)
        return ASGITransport(send)

    async def handle_request(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """Let `app` answer, which shutdown waits for; refuse the request if shutdown has begun."""
        if self._refuses_requests:
            await _refuse(send)
            return
        request: Any = asyncio.current_task()
        self._requests.add(request)
        request.add_done_callback(self._requests.discard)
        await app(scope, receive, send)

    def on_shutdown(self, callback: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Await `callback()` before Daphne stops."""
        self._callbacks.append(callback)

    def _begin_shutdown(self) -> None:
        if self._shutdown is None:
            threading.Thread(target=_exit_in_time, name="shutdown", daemon=True).start()
            self._shutdown = asyncio.get_running_loop().create_task(self._shut_down())

    async def _shut_down(self) -> None:
        await asyncio.wait([asyncio.ensure_future(callback()) for callback in self._callbacks])
        self._stop_reactor()

    async def _drain(self) -> None:
        """Accept no more connections, and wait for the requests in progress."""
        _stop_listening()
        await asyncio.sleep(REQUEST_SECONDS)
        self._refuses_requests = True
        seconds = live_settings.DRAIN_SECONDS
        if self._requests:
            await asyncio.wait(self._requests, timeout=seconds)
        if self._requests:
            logger.error("Daphne: requests left unanswered after %g s: %s", seconds, len(self._requests))


async def _refuse(send: Send) -> None:
    """Answer a request on a connection that was open before; the next goes to another process."""
    headers = [(b"content-type", b"text/plain"), (b"retry-after", b"1"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b"The server is restarting. Try again.\n"})


def _stop_listening() -> None:
    """Accept the connections in the kernel's queue and no more: later ones go to another process.

    Twisted accepts a few at a time, and its stopListening lets the kernel reset those still in the queue.
    Delete this when Daphne drains connections: https://github.com/django/daphne/issues/177
    """
    for reader in reactor.getReaders():
        if isinstance(reader, tcp.Port):
            reader.numberAccepts = MAX_QUEUED_CONNECTIONS
            reader.doRead()  # type: ignore[no-untyped-call]
            reader.stopListening()  # type: ignore[no-untyped-call]


def _exit_in_time() -> None:
    """End the process, even if a thread in it hangs, such as one that waits for a database.

    Python waits for the threads of an executor at exit, and can't end one that hangs. This is needed as
    long as views, sessions and the ORM run in threads.
    https://docs.python.org/3/library/concurrent.futures.html#threadpoolexecutor
    """
    seconds = live_settings.SHUTDOWN_SECONDS
    time.sleep(seconds)
    logger.error("Daphne: ends the process because something in it still hangs after %g s", seconds)
    os._exit(1)

"""Any ASGI server, used through ASGI alone, apart from the connections of uvicorn."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from live.protocol import CloseCode
from live.servers.base import Server, Transport, limit_unsent_bytes, truncated

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from live.servers.base import Send


class ASGIServer(Server):
    """Any ASGI server. It waits for requests in progress and closes WebSockets by itself when it ends."""

    def transport(self, send: Send) -> Transport:
        """Return a transport that knows nothing but `send`."""
        return ASGITransport(send)


class ASGITransport(Transport):
    """Writes with ASGI's `send`, and refuses messages while the last one waits for the client.

    Where `send` finishes without waiting, as uvicorn's mostly does, a write costs no task: the coroutine runs
    outside of any task until it first waits, and only the rest of it becomes one. Tasks that start eagerly do
    the same. Use them, and delete _RestOf, when Python 3.11 isn't supported any more:
    asyncio.Task(send(event), loop=loop, eager_start=True).
    https://docs.python.org/3/library/asyncio-task.html#eager-task-factory
    """

    #: Servers differ in which of RFC 6455's codes they send; all of them send those from 4000 on.
    restart_code = CloseCode.ASGI_RESTART

    def __init__(self, send: Send) -> None:
        self._send = send
        self._sending: asyncio.Task[None] | None = None
        #: Events to send before the connection is closed; None while it is open.
        self._last_events: list[dict[str, Any]] | None = None

    def start(self, on_resume: Callable[[], None], on_flood: Callable[[], None]) -> None:
        self._on_resume = on_resume
        if (tcp := self._tcp) is not None and (sock := tcp.get_extra_info("socket")) is not None:
            limit_unsent_bytes(sock)

    def write(self, text: str) -> bool:
        if self._last_events is not None:
            return True
        if self._sending is not None:
            return False
        self._begin_to_send({"type": "websocket.send", "text": text})
        return True

    def close(self, last: str, code: CloseCode, reason: str) -> None:
        if self._last_events is None:
            self._last_events = [
                {"type": "websocket.send", "text": last},
                {"type": "websocket.close", "code": code, "reason": truncated(reason).decode()},
            ]
            self._send_last_events()

    def abort(self) -> None:
        self._last_events = []
        if self._sending is not None:
            self._sending.cancel()
        if (tcp := self._tcp) is not None:
            tcp.abort()

    @property
    def _tcp(self) -> Any:
        """The connection's asyncio or uvloop transport if `send` is a method of uvicorn's protocol, or None.

        ASGI has no way to drop a connection, nor to see its socket.
        https://asgi.readthedocs.io/en/latest/specs/www.html#websocket
        """
        tcp = getattr(getattr(self._send, "__self__", None), "transport", None)
        return tcp if hasattr(tcp, "abort") and hasattr(tcp, "get_extra_info") else None

    def _send_last_events(self) -> None:
        while self._last_events and self._sending is None:
            self._begin_to_send(self._last_events.pop(0))

    def _begin_to_send(self, event: dict[str, Any]) -> None:
        sending = cast("Coroutine[Any, Any, None]", self._send(event))
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return
        except Exception:  # noqa: BLE001 - servers differ in what they raise for a lost connection
            self._last_events = []
            return
        self._sending = asyncio.get_running_loop().create_task(_finish(sending, waits_for))
        self._sending.add_done_callback(self._on_sent)

    def _on_sent(self, sending: asyncio.Task[None]) -> None:
        self._sending = None
        if sending.cancelled() or sending.exception() is not None:
            self._last_events = []
        elif self._last_events is not None:
            self._send_last_events()
        else:
            self._on_resume()


async def _finish(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
    """Run what is left of a coroutine that has begun and now waits for `waits_for`."""
    await _RestOf(coroutine, waits_for)


class _RestOf:
    """An awaitable that yields to the event loop what the coroutine yields, as `yield from` would."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine, self._waits_for = coroutine, waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        with suppress(StopIteration):
            while True:
                try:
                    value = yield waits_for
                except BaseException as error:  # noqa: BLE001 - the coroutine handles it
                    waits_for = self._coroutine.throw(error)
                else:
                    waits_for = self._coroutine.send(value)

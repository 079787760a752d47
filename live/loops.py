"""Objects that belong to an event loop."""

from __future__ import annotations

import asyncio
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from django.core.handlers.asgi import ASGIRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from django.http import HttpRequest

T = TypeVar("T")


def on_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., None]) -> Callable[..., None]:
    """Return a function that calls another on the loop, and raises RuntimeError once that is closed."""

    def call(*args: object) -> None:
        loop.call_soon_threadsafe(function, *args)

    return call


class PerLoop(Generic[T]):
    """Makes one object per event loop, when first called there, and keeps it as long as the loop lives."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._objects: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()
        #: A dictionary can't be iterated over while the thread of another loop adds to it.
        self._lock = threading.Lock()

    def __call__(self) -> T:
        """Return the object of the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._objects:
            made = self._make()
            with self._lock:
                self._objects[loop] = made
        return self._objects[loop]

    def items(self) -> list[tuple[asyncio.AbstractEventLoop, T]]:
        """Return all loops and their objects. May be called from any thread."""
        with self._lock:
            return list(self._objects.items())

    def clear(self) -> None:
        """Forget all objects."""
        with self._lock:
            self._objects.clear()


async def on_hubs_loop(request: HttpRequest, coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine on the event loop of the hub that answers the request.

    Under ASGI that is the server's. Under WSGI each request has an event loop that ends with the request, so
    the hub is on an event loop in a thread of its own.
    """
    if isinstance(request, ASGIRequest):
        return await coroutine
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, _wsgi_loop()))


_lock = threading.Lock()


def _wsgi_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of the hub under WSGI, started once."""
    with _lock:
        return _started_loop()


@lru_cache(maxsize=1)
def _started_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="rankings-hub", daemon=True).start()
    return loop

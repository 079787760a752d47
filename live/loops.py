"""Objects that belong to an event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


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

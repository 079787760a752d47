"""Lets requests wait for what the feed tells."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class News:
    """What requests wait for, on the event loop."""

    def __init__(self) -> None:
        #: Done at the next news; None while no request waits.
        self._next: asyncio.Future[None] | None = None

    def tell(self) -> None:
        """Let the requests look again whether they must wait."""
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
        self._next = None

    async def wait_until(self, is_over: Callable[[], bool], seconds: float) -> bool:
        """Wait until `is_over()`, which is asked at each news; return whether it was in time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not is_over():
            if self._next is None:
                self._next = loop.create_future()
            # Not wait_for, which would cancel the future that other requests wait for.
            done, _ = await asyncio.wait([self._next], timeout=until - loop.time())
            if not done:
                return False
        return True

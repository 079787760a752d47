"""A clock on the event loop that no exception stops."""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import TYPE_CHECKING

from live.conf import CLOCK_LATE_SECONDS, TICK_SECONDS
from live.outages import Outage

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Calls a function every TICK_SECONDS."""

    def __init__(self, on_tick: Callable[[], None]) -> None:
        self._on_tick = on_tick
        self._outage = Outage("clock", "tick", TICK_SECONDS)
        self._next: asyncio.TimerHandle | None = None
        #: When it ticked last, or started, on the monotonic clock; None while it is stopped.
        self.ticked_at: float | None = None

    def ensure(self) -> None:
        """Start it if it is stopped, or has not ticked for CLOCK_LATE_SECONDS."""
        now = time.monotonic()
        if self.ticked_at is None or now - self.ticked_at > CLOCK_LATE_SECONDS:
            self.stop()
            self.ticked_at = now
            self._call_later()

    def stop(self) -> None:
        """Tick no more."""
        if self._next is not None:
            self._next.cancel()
        self._next = self.ticked_at = None

    def _call_later(self) -> None:
        # Without the context of the request that starts the clock: its log lines would have that id for ever.
        context = contextvars.Context()
        self._next = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick, context=context)

    def _tick(self) -> None:
        # The next one first: whatever happens in this one, there will be another.
        self._call_later()
        self.ticked_at = time.monotonic()
        try:
            self._on_tick()
        except Exception as error:  # noqa: BLE001 - without the clock, pages get no pings and a feed that hangs stays
            self._outage.fail(error)
        else:
            self._outage.succeed()

"""What the hub has, for a request on any kind of server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock, Thread
from typing import TYPE_CHECKING

from django.core.handlers.asgi import ASGIRequest

from live import hub

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from django.http import HttpRequest

    from live.rankings import Ranking
    from live.snapshots import Snapshot


@dataclass(frozen=True)
class Reading:
    """The newest snapshots of some rankings."""

    snapshots: list[Snapshot]
    #: When the least recently read of them was read.
    checked_at: datetime
    #: Whether that is too long ago.
    stale: bool


async def read(request: HttpRequest, rankings: Sequence[Ranking]) -> Reading:
    """Read from the hub of this process, as hub.current() does. Raises NoDataError.

    Under ASGI that is the one on the server's event loop. Under WSGI each request has a loop of its own,
    which ends with it: there the hub is on a loop in a thread.
    """
    if isinstance(request, ASGIRequest):
        return await _read(rankings)
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_read(rankings), _wsgi_loop()))


async def _read(rankings: Sequence[Ranking]) -> Reading:
    if not rankings:
        raise hub.NoDataError
    the_hub = hub.get_hub()
    snapshots = await the_hub.current(rankings)
    return Reading(snapshots, the_hub.oldest_check(rankings), the_hub.is_stale(rankings))


_lock = Lock()


def _wsgi_loop() -> asyncio.AbstractEventLoop:
    """The loop on which the hub is where the server has none."""
    with _lock:
        return _started_loop()


@lru_cache(maxsize=1)
def _started_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, name="rankings-hub", daemon=True).start()
    return loop

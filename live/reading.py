"""How a request reads rankings from the hub, under ASGI and under WSGI."""

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
    #: When the least recently read one of them was read.
    checked_at: datetime
    #: Whether that was more than STALE_SECONDS ago.
    stale: bool


async def read(request: HttpRequest, rankings: Sequence[Ranking]) -> Reading:
    """Read rankings from this process's hub, as hub.current() does. Raises NoDataError.

    Under ASGI the hub is on the server's event loop. Under WSGI each request has an event loop that ends with
    the request, so the hub is on an event loop in a thread of its own.
    """
    if isinstance(request, ASGIRequest):
        return await _read(rankings)
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_read(rankings), _wsgi_loop()))


async def _read(rankings: Sequence[Ranking]) -> Reading:
    if not rankings:
        raise hub.NoDataError
    the_hub = hub.get_hub()
    snapshots = await the_hub.current(rankings)
    checked_at = the_hub.oldest_check(rankings)
    return Reading(snapshots, checked_at, hub.is_stale(checked_at))


_lock = Lock()


def _wsgi_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of the hub under WSGI, started once."""
    with _lock:
        return _started_loop()


@lru_cache(maxsize=1)
def _started_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    Thread(target=loop.run_forever, name="rankings-hub", daemon=True).start()
    return loop

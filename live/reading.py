"""How a request reads rankings from the hub, under ASGI and under WSGI."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock, Thread
from typing import TYPE_CHECKING

from django.core.handlers.asgi import ASGIRequest

from live import hub
from live.snapshots import combined_etag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from django.http import HttpRequest

    from live.faults import Fault
    from live.rankings import Ranking
    from live.snapshots import Snapshot


@dataclass(frozen=True)
class Reading:
    """What this process knows of some rankings."""

    rankings: Sequence[Ranking]
    #: The newest snapshots of those that have been read, in the order of the rankings.
    snapshots: list[Snapshot]
    #: What is wrong with those of the rankings that can't be read, by slug.
    faults: dict[str, Fault]
    #: When the least recently read one of them was read; None if none was.
    checked_at: datetime | None
    #: The state of all rankings, as subscribers get it.
    ping: hub.Ping

    @property
    def etag(self) -> str:
        """A hash of the rows and of what is wrong: processes that know the same have the same etag."""
        return combined_etag(self.snapshots, self.faults)

    @property
    def cards(self) -> list[tuple[Ranking, Snapshot | None, Fault | None]]:
        """Each ranking with its snapshot and its fault."""
        snapshots = {snapshot.ranking.slug: snapshot for snapshot in self.snapshots}
        return [
            (ranking, snapshots.get(ranking.slug), self.faults.get(ranking.slug)) for ranking in self.rankings
        ]


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
    ping = the_hub.ping()
    slugs = [ranking.slug for ranking in rankings]
    return Reading(
        rankings=rankings,
        snapshots=snapshots,
        faults={slug: ping.faults[slug] for slug in slugs if slug in ping.faults},
        checked_at=checked_at,
        ping=ping,
    )


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

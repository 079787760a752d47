"""How a request reads rankings from the hub, under ASGI and under WSGI."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from live import rendering
from live.cards import Card
from live.history.reading import board_at
from live.hub import get_hub
from live.hub_state import NoDataError, Ping
from live.loops import on_hubs_loop
from live.snapshots import combined_etag

if TYPE_CHECKING:
    from django.http import HttpRequest

    from live.faults import Fault
    from live.parameters import Selection
    from live.rankings import Ranking
    from live.snapshots import Snapshot


@dataclass(frozen=True)
class Reading:
    """What this process knows of some rankings."""

    selection: Selection
    #: The newest snapshots of those that have been read, in the order of the rankings.
    snapshots: list[Snapshot]
    #: What is wrong with those of the rankings that can't be read, by Ranking.id.
    faults: dict[str, Fault]
    #: When the least recently read one of them was read; None if none was.
    checked_at: datetime | None
    #: The state of all rankings, as subscribers get it.
    ping: Ping
    #: The moment that this is the state of; None for now.
    at: datetime | None = None

    @property
    def etag(self) -> str:
        """A hash of the rows and of what is wrong: processes that know the same have the same etag."""
        return combined_etag(self.snapshots, self.faults, self.selection.size)

    @property
    def source(self) -> str:
        """The server that the rankings were read from; "" if none was."""
        return self.snapshots[0].source if self.snapshots else ""

    @property
    def cards(self) -> list[Card]:
        """Each ranking as its card shows it."""
        snapshots = {snapshot.ranking.id: snapshot for snapshot in self.snapshots}
        return [self._card(ranking, snapshots.get(ranking.id)) for ranking in self.selection.rankings]

    def _card(self, ranking: Ranking, snapshot: Snapshot | None) -> Card:
        fault = self.faults.get(ranking.id)
        state, note = rendering.state_and_note(
            self.ping.checked_at.get(ranking.id), fault, self.ping.intervals.get(ranking.id, 0)
        )
        return Card(ranking, snapshot, self.selection.size, fault, state, note, self.at)


async def read(request: HttpRequest, selection: Selection, at: datetime | None = None) -> Reading:
    """Read rankings from this process's hub, as hub.current() does, or as they were at a moment.

    Raises NoDataError; for a moment NoHistoryError, UsersUnavailableError.
    """
    if at is not None:
        return await _read_past(selection, at)
    return await on_hubs_loop(request, _read(selection))


async def _read(selection: Selection) -> Reading:
    rankings = selection.rankings
    if not rankings:
        raise NoDataError
    the_hub = get_hub()
    snapshots = await the_hub.current(rankings)
    checked_at = the_hub.oldest_check(rankings)
    ping = the_hub.ping()
    ids = [ranking.id for ranking in rankings]
    return Reading(
        selection=selection,
        snapshots=snapshots,
        faults={id_: ping.faults[id_] for id_ in ids if id_ in ping.faults},
        checked_at=checked_at,
        ping=ping,
    )


async def _read_past(selection: Selection, at: datetime) -> Reading:
    found = await board_at(selection.rankings, at)
    return Reading(
        selection=selection,
        snapshots=[found[ranking.id] for ranking in selection.rankings if ranking.id in found],
        faults={},
        checked_at=None,
        ping=Ping(datetime.now(UTC), {}, {}),
        at=at,
    )

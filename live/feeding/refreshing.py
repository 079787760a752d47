"""When rankings are read whose changes nothing announces. Gets the time passed in, and so needs no clock."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from live.conf import live_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from live.feeding.sources import Source


class Refreshing:
    """The rankings whose changes nothing announces, each read at intervals that its source chooses."""

    def __init__(self) -> None:
        #: By Ranking.id.
        self._sources: dict[str, Source] = {}
        #: How long the last read of each ranking took, of those too whose changes are announced.
        self._seconds: dict[str, float] = {}
        self._due_at: dict[str, float] = {}
        #: The ids of these rankings.
        self.ids: frozenset[str] = frozenset()
        #: The seconds between two reads of those that have been read and whose interval is so long that
        #: requests would hurry them. Never changed in place, because other threads read it.
        self.intervals: Mapping[str, float] = {}

    def set_sources(self, sources: Mapping[str, Source]) -> None:
        """Read these rankings at intervals, and no others. New ones are due."""
        self._sources, self.ids = dict(sources), frozenset(sources)
        self._due_at = {id_: self._due_at.get(id_, -math.inf) for id_ in sources}
        self._find_intervals()

    def on_read(self, id_: str, seconds: float) -> None:
        """Note how long a read of any ranking took."""
        self._seconds[id_] = seconds
        if id_ in self.ids:
            self._find_intervals()

    def forget(self, id_: str) -> None:
        """Forget a ranking that is read no more."""
        self._seconds.pop(id_, None)
        self.set_sources({other: source for other, source in self._sources.items() if other != id_})

    def take_due(self, now: float) -> list[str]:
        """Return the rankings to read now. They are due again when their intervals are over."""
        due = [id_ for id_, at in self._due_at.items() if at <= now]
        for id_ in due:
            self._due_at[id_] = now + self.interval(id_)
        return due

    @property
    def next_at(self) -> float:
        """When the next ranking is due; infinity if there is none."""
        return min(self._due_at.values(), default=math.inf)

    def interval(self, id_: str) -> float:
        """Return the seconds from a read of one of these rankings to the next."""
        return self._sources[id_].refresh_seconds(self._seconds.get(id_, 0))

    def _find_intervals(self) -> None:
        intervals = {id_: self.interval(id_) for id_ in self.ids if id_ in self._seconds}
        self.intervals = {id_: span for id_, span in intervals.items() if span > live_settings.POLL_SECONDS}

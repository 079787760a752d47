"""Which rankings are watched. Gets the time passed in, and so needs no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live.conf import UNWATCHED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from live.rankings import Ranking


class Watched:
    """The rankings that somebody has used lately."""

    def __init__(self) -> None:
        #: By Ranking.id.
        self._rankings: dict[str, Ranking] = {}
        self._used_at: dict[str, float] = {}

    def __contains__(self, id_: object) -> bool:
        return id_ in self._rankings

    def __iter__(self) -> Iterator[Ranking]:
        return iter(list(self._rankings.values()))

    def use(self, rankings: Sequence[Ranking], now: float) -> list[str]:
        """Note that somebody uses these rankings; return the ids of those that weren't watched so far.

        One whose definition has changed is watched as it is now.
        """
        new = []
        for ranking in rankings:
            if (known := self._rankings.get(ranking.id)) is not ranking and known != ranking:
                self._rankings[ranking.id] = ranking
                new.append(ranking.id)
            self._used_at[ranking.id] = now
        return new

    def discard(self, ids: Iterable[str]) -> None:
        """Watch these rankings no more."""
        for id_ in ids:
            self._rankings.pop(id_, None)
            self._used_at.pop(id_, None)

    def clear(self) -> None:
        """Watch nothing any more."""
        self._rankings.clear()
        self._used_at.clear()

    def discard_unused(self, in_use: Collection[str], now: float) -> list[str]:
        """Watch no more what nobody has used for UNWATCHED_SECONDS; return the ids of these rankings."""
        self._used_at |= dict.fromkeys(self._rankings.keys() & in_use, now)
        unused = [id_ for id_, used_at in self._used_at.items() if now - used_at > UNWATCHED_SECONDS]
        self.discard(unused)
        return unused

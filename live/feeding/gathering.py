"""Decides when a ranking that may have changed is read. Gets the time passed in, and so needs no clock."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Gathering:
    """The rankings that may have changed since they were read, by Ranking.id, each with a time of its own.

    A change of a quiet ranking is read at once. Changes that follow are gathered, and read together when the
    least time between two reads of this ranking is over. No ranking waits for another's time.
    """

    def __init__(self) -> None:
        #: In the order of their changes, which a dictionary keeps.
        self._changed: dict[str, None] = {}
        self._may_read_at: dict[str, float] = {}

    def add(self, ids: Iterable[str]) -> None:
        """Note that these rankings may have changed."""
        self._changed |= dict.fromkeys(ids)

    def forget(self, id_: str) -> None:
        """Forget a ranking that is read no more."""
        self._changed.pop(id_, None)
        self._may_read_at.pop(id_, None)

    def take(self, now: float, seconds: float) -> str | None:
        """Return the ranking to read now, or None. It isn't returned again for `seconds`.

        If there are several, it is the one that has been waiting longest, so that none is left out.
        """
        for id_ in self._changed:
            if self._may_read_at.get(id_, -math.inf) <= now:
                del self._changed[id_]
                self._may_read_at[id_] = now + seconds
                return id_
        return None

    @property
    def next_at(self) -> float:
        """When a ranking can be read next: in the past if one can be now, infinity if none has changed."""
        return min((self._may_read_at.get(id_, -math.inf) for id_ in self._changed), default=math.inf)

"""One ranking's rows at one moment."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from live.faults import Fault
    from live.rankings import Ranking

    #: Pairs of (key, value), in a ranking's order.
    Values = tuple[tuple[Any, float | None], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a ranking. `share` is the length of its bar, in per cent of the largest value."""

    rank: int
    key: Any
    name: str
    value: float | None
    display: str
    share: float


@dataclass(frozen=True, slots=True)
class Totals:
    """The number of a ranking's keys, and the sum of all their values, None if it means nothing."""

    keys: int
    sum: float | None


# Compared by identity, which is quicker: each change of the rows makes one snapshot.
@dataclass(frozen=True, eq=False)
class Snapshot:
    """One ranking's rows at one moment."""

    ranking: Ranking
    values: Values
    #: When these rows were read for the first time.
    changed_at: datetime
    #: The server that the rows were read from: "RisingWave 3.0.3".
    source: str
    #: As they were when they were last read; None if the database doesn't keep them. Not part of the etag.
    totals: Totals | None = None
    #: Its rendered texts, by the name of the function in live.rendering.
    rendered: dict[str, str] = field(default_factory=dict, repr=False)

    @cached_property
    def etag(self) -> str:
        """A hash of the slug and the rows: processes that read the same rows have the same etag."""
        text = json.dumps([self.ranking.slug, self.values], separators=(",", ":"), cls=DjangoJSONEncoder)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows as they are shown, with ranks from 1."""
        largest = max((value or 0 for _, value in self.values), default=0)
        return tuple(
            Row(
                rank=rank,
                key=key,
                name=str(self.ranking.name(key)),
                value=value,
                display="–" if value is None else str(self.ranking.display(value)),
                share=round(max(value or 0, 0) / largest * 100, 1) if largest > 0 else 0,
            )
            for rank, (key, value) in enumerate(self.values, start=1)
        )

    @property
    def extent(self) -> str:
        """How many of the rows are shown, and their share of the sum: "5 of 1,234 (38 %)"; "" if unknown."""
        if self.totals is None:
            return ""
        text = f"{len(self.values):,} of {self.totals.keys:,}"
        if self.totals.sum is None or self.totals.sum <= 0:
            return text
        share = sum(value or 0 for _, value in self.values) / self.totals.sum
        return f"{text} ({share:.0%})".replace("%", " %") if math.isfinite(share) else text

    def check(self) -> None:
        """Make sure that the snapshot can be shown and sent. Raises whatever a ranking's functions raise."""
        text = self.etag + self.extent + "".join(row.name + row.display for row in self.rows)
        text.encode()  # A lone surrogate can't be sent.


def combined_etag(snapshots: Sequence[Snapshot], faults: Mapping[str, Fault]) -> str:
    """Return one etag for several snapshots together, and for what is wrong with rankings, by slug."""
    reasons = sorted((slug, fault.reason) for slug, fault in faults.items())
    text = "".join(snapshot.etag for snapshot in snapshots) + (repr(reasons) if reasons else "")
    return hashlib.sha256(text.encode()).hexdigest()[:16]

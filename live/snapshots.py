"""One ranking's rows at one moment."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from live.rankings import Ranking


@dataclass(frozen=True, slots=True)
class Row:
    """A place in a ranking. `share` is the bar: per cent of the first row's value."""

    rank: int
    key: Any
    name: str
    value: float | None
    display: str
    share: float


# Compared by identity: one is made each time the rows change.
@dataclass(frozen=True, eq=False)
class Snapshot:
    """One ranking's rows at one moment; immutable."""

    ranking: Ranking
    #: (key, value) in the ranking's order.
    values: tuple[tuple[Any, float | None], ...]
    #: When the rows were first seen as they are now.
    changed_at: datetime
    #: The server they were read from, as "RisingWave 3.0.3".
    source: str
    #: What it has been rendered as, by the name of the variant.
    rendered: dict[str, str] = field(default_factory=dict, repr=False)

    @cached_property
    def etag(self) -> str:
        """Hash of the ranking and its rows: processes that see the same rows agree on it."""
        text = json.dumps([self.ranking.slug, self.values], separators=(",", ":"), cls=DjangoJSONEncoder)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows as shown, ranks from 1."""
        most = max((value or 0 for _, value in self.values), default=0)
        return tuple(
            Row(
                rank=rank,
                key=key,
                name=self.ranking.name(key),
                value=value,
                display="–" if value is None else self.ranking.display(value),
                share=round(max(value or 0, 0) / most * 100, 1) if most > 0 else 0,
            )
            for rank, (key, value) in enumerate(self.values, start=1)
        )


def combined_etag(snapshots: Sequence[Snapshot]) -> str:
    """One tag for several snapshots together."""
    return hashlib.sha256("".join(s.etag for s in snapshots).encode()).hexdigest()[:16]

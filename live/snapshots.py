"""One ranking's rows at one moment."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import get_language, ngettext

from live import formats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from live.faults import Fault
    from live.rankings import Ranking
    from live.thresholds import Alert

    #: Pairs of (key, value), in a ranking's order.
    Values = tuple[tuple[Any, float | None], ...]

#: The movement of a row that wasn't among the leading rows.
NEW: Final = "new"


def key_text(key: Any) -> str:
    """Return a key as JSON, which is the same before and after it has been kept as JSON or jsonb."""
    if isinstance(key, float) and math.isfinite(key):
        # jsonb has no exponents and no negative zero: 1e+16 comes back as an integer.
        key = int(key) if abs(key) >= 1e16 else key + 0.0
    return json.dumps(key, separators=(",", ":"), cls=DjangoJSONEncoder)


def row_id(key: Any) -> str:
    """Return a hash of a key of any type, for use in an element's id."""
    return hashlib.sha256(key_text(key).encode()).hexdigest()[:10]


def ranks(values: Values) -> list[int]:
    """Return the rank of each row, from 1. Rows with the same value share one: 1, 1, 3."""
    found: list[int] = []
    for position, (_, value) in enumerate(values, start=1):
        is_tied = position > 1 and values[position - 2][1] == value
        found.append(found[-1] if is_tied else position)
    return found


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar of a row, in per cent of the width that all bars have."""

    start: float
    width: float


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """A crossed threshold as people read of it."""

    alert: Alert
    #: What has crossed it: the name of a row, or "" for the total.
    name: str
    #: "above $500,000"
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}" if self.name else self.text


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a ranking."""

    rank: int
    key: Any
    #: Part of the id of the row's element.
    id: str
    name: str
    value: float | None
    display: str
    #: Per cent of the sum of all values; None if that means nothing.
    share: float | None
    #: The share, or where that means nothing the part of the largest value.
    bar: Bar
    #: How many places the row has risen; NEW; None if there is nothing to compare with.
    movement: int | str | None
    #: The thresholds that its value has crossed.
    alerts: tuple[ShownAlert, ...] = ()

    @property
    def risen(self) -> int:
        """How many places the row has risen; 0 if it hasn't."""
        return max(self.movement, 0) if isinstance(self.movement, int) else 0

    @property
    def fallen(self) -> int:
        """How many places the row has fallen; 0 if it hasn't."""
        return max(-self.movement, 0) if isinstance(self.movement, int) else 0

    @property
    def moved(self) -> str:
        """The movement in words, for those who don't see the arrows."""
        if places := self.risen:
            return ngettext("up %(places)d place", "up %(places)d places", places) % {"places": places}
        places = self.fallen
        return ngettext("down %(places)d place", "down %(places)d places", places) % {"places": places}

    @property
    def percent(self) -> str:
        """The share as people read it: "8.1 %"."""
        return "" if self.share is None else formats.percent(self.share)


@dataclass(frozen=True, slots=True)
class Totals:
    """The number of a ranking's keys, and the sum of all their values, None if it means nothing."""

    keys: int
    sum: float | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """The places of the leading rows at an earlier moment, which movement is told from."""

    at: datetime
    #: The ranks by key_text() of the keys; None if there is no record of that moment.
    ranks: Mapping[str, int] | None

    def movement(self, key: Any, rank: int) -> int | str | None:
        """Return how many places a row has risen that has this rank now, or NEW; None if that isn't known."""
        if self.ranks is None:
            return None
        before = self.ranks.get(key_text(key))
        return NEW if before is None else before - rank


# Compared by identity, which is quicker: each change of the rows makes one snapshot.
@dataclass(frozen=True, eq=False)
class Snapshot:
    """One ranking's leading rows at one moment: all that are read, however many are shown."""

    ranking: Ranking
    values: Values
    #: When these rows were read for the first time.
    changed_at: datetime
    #: The server that the rows were read from: "RisingWave 3.0.3".
    source: str
    #: As they were when they were last read; None if the database doesn't keep them. Not part of the etag.
    totals: Totals | None = None
    #: Where the rows were earlier; None if that isn't known.
    comparison: Comparison | None = None
    #: The thresholds that are crossed.
    alerts: tuple[Alert, ...] = ()
    #: Its etags and rows by size, and its rendered texts, by what they depend on.
    rendered: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False)

    def etag(self, size: int | None = None) -> str:
        """Return a hash of the first `size` rows, by default those that the ranking shows.

        Processes that read the same rows have the same etag.
        """
        size = size or self.ranking.size
        known: str | None = self.rendered.get(("etag", size))
        if known is None:
            compared_at = None if self.comparison is None else self.comparison.at.timestamp()
            alerts = [alert.id for alert in self.shown_alerts(size)]
            ranking = self.ranking
            text = key_text([ranking.id, ranking.version, self.values[:size], compared_at, alerts])
            known = self.rendered["etag", size] = hashlib.sha256(text.encode()).hexdigest()[:16]
        return known

    def shown_alerts(self, size: int | None = None) -> tuple[Alert, ...]:
        """Return the alerts of the total and of the first `size` rows."""
        if not self.alerts:
            return ()
        keys = {"", *(key_text(key) for key, _ in self.values[: size or self.ranking.size])}
        return tuple(alert for alert in self.alerts if alert.key in keys)

    def rows(self, size: int | None = None) -> tuple[Row, ...]:
        """Return the first `size` rows, by default those that the ranking shows, in the active language."""
        size = size or self.ranking.size
        name = "rows", size, get_language()
        if name not in self.rendered:
            self.rendered[name] = self._rows(size)
        known: tuple[Row, ...] = self.rendered[name]
        return known

    def _rows(self, size: int) -> tuple[Row, ...]:
        low, high = self._extremes(size)
        return tuple(
            Row(
                rank=rank,
                key=key,
                id=row_id(key),
                name=str(self.ranking.name(key)),
                value=value,
                display=self.ranking.displayed(value),
                share=self.share_of(value),
                bar=Bar(
                    start=_percent(min(value or 0, 0) - low, high - low),
                    width=_percent(abs(value or 0), high - low),
                ),
                movement=None if self.comparison is None else self.comparison.movement(key, rank),
                alerts=self._alerts_of(key_text(key), key) if self.alerts else (),
            )
            for rank, (key, value) in zip(ranks(self.values[:size]), self.values[:size], strict=True)
        )

    def total_alerts(self) -> tuple[ShownAlert, ...]:
        """Return the thresholds that the total has crossed, the newest first, in the active language."""
        return self._alerts_of("")

    def _alerts_of(self, text: str, key: Any = None) -> tuple[ShownAlert, ...]:
        displayed = self.ranking.displayed
        return tuple(
            ShownAlert(alert, str(self.ranking.name(key)) if text else "", alert.threshold.text(displayed))
            for alert in reversed(self.alerts)
            if alert.key == text
        )

    def zero(self, size: int | None = None) -> float:
        """Return where the bars' zero is, in per cent of their width: 0 unless a value is negative."""
        low, high = self._extremes(size or self.ranking.size)
        return _percent(-low, high - low)

    def _extremes(self, size: int) -> tuple[float, float]:
        """Return the values at both ends of the bars' width."""
        values = [value or 0 for _, value in self.values[:size]]
        return min([0, *values]), max([0, self._sum or 0, *values])

    @property
    def _sum(self) -> float | None:
        """The sum of all values that shares are of."""
        total = None if self.totals is None else self.totals.sum
        return total if total is not None and math.isfinite(total) and total > 0 else None

    @property
    def total(self) -> str:
        """The sum of all values as people read it; "" if that means nothing."""
        total = None if self.totals is None else self.totals.sum
        return self.ranking.displayed(total) if total is not None and math.isfinite(total) else ""

    def share_of(self, value: float | None) -> float | None:
        """Return a value in per cent of the sum; None if that means nothing or is too large for a float."""
        share = math.nan if self._sum is None or value is None else value / self._sum * 100
        return share if math.isfinite(share) else None

    def shown_share(self, size: int | None = None) -> float | None:
        """Return the share of the first `size` rows together, in per cent; None if that means nothing."""
        values = self.values[: size or self.ranking.size]
        return self.share_of(sum(value or 0 for _, value in values))

    def check(self) -> None:
        """Make sure that the snapshot can be shown and sent. Raises whatever a ranking's functions raise."""
        size = len(self.values) or 1
        rows = self._rows(size)
        text = self.etag(size) + self.total + "".join(row.name + row.display for row in rows)
        text.encode()  # A lone surrogate can't be sent.


def _percent(part: float, whole: float) -> float:
    """Return the part in per cent of the whole, rounded as far as a screen can show."""
    share = part / whole * 100 if whole > 0 else 0
    return round(share, 1) if math.isfinite(share) else 0


def combined_etag(snapshots: Sequence[Snapshot], faults: Mapping[str, Fault], size: int | None = None) -> str:
    """Return one etag for several snapshots together, and for what is wrong with rankings, by id."""
    reasons = sorted((id_, fault.reason) for id_, fault in faults.items())
    text = "".join(snapshot.etag(size) for snapshot in snapshots) + (repr(reasons) if reasons else "")
    return hashlib.sha256(text.encode()).hexdigest()[:16]

"""What the template of a card shows of a ranking, in the active language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.text import capfirst
from django.utils.translation import gettext

from live import formats
from live.history_support import is_kept
from live.windows import Window

if TYPE_CHECKING:
    from datetime import datetime

    from django.utils.functional import _StrOrPromise

    from live.faults import Fault
    from live.rankings import Ranking
    from live.snapshots import Comparison, Row, ShownAlert, Snapshot, Totals

#: Thresholds that a card writes out. More would make it longer; the rows are marked all the same.
WRITTEN_ALERTS = 2


@dataclass(frozen=True)
class Card:
    """A ranking as a page shows it."""

    ranking: Ranking
    #: None if the ranking has never been read.
    snapshot: Snapshot | None
    #: The number of rows; None for the ranking's own.
    size: int | None = None
    fault: Fault | None = None
    #: The state of the card on a page, and what it says about it: both empty if it is fresh.
    state: str = ""
    note: str = ""
    #: The moment that it shows; None for now.
    at: datetime | None = None

    @property
    def etag(self) -> str:
        return "" if self.snapshot is None else self.snapshot.etag(self.size)

    @property
    def rows(self) -> tuple[Row, ...]:
        return () if self.snapshot is None else self.snapshot.rows(self.size)

    @property
    def total_alerts(self) -> tuple[ShownAlert, ...]:
        """The thresholds that the total has crossed, the newest first."""
        return () if self.snapshot is None else self.snapshot.total_alerts()

    @property
    def alerts(self) -> list[ShownAlert]:
        """The thresholds that the total and the rows have crossed, each in the order of the rows."""
        return [*self.total_alerts, *(alert for row in self.rows for alert in row.alerts)]

    @property
    def written_alerts(self) -> list[ShownAlert]:
        """Those of them that the card writes out."""
        return self.alerts[:WRITTEN_ALERTS]

    @property
    def more_alerts(self) -> int:
        """How many it doesn't."""
        return max(0, len(self.alerts) - WRITTEN_ALERTS)

    @property
    def title(self) -> str:
        return capfirst(str(self.ranking.title))

    @property
    def window(self) -> _StrOrPromise:
        """The name of the window; "" without one."""
        return "" if self.ranking.window is Window.ALL else self.ranking.window.label

    @property
    def scope(self) -> str:
        """How many of the rows are shown, and the unit: "top 5 of 42 products · units"."""
        totals = self._totals
        names = {"top": self.top, "keys": str(self.ranking.keys)}
        if totals is None:
            text = gettext("top %(top)s %(keys)s") % names
        elif not totals.keys:
            text = ""
        elif totals.keys <= self.top:
            # Without their name, which is a plural.
            text = gettext("all %(number)s") % {"number": formats.quantity(totals.keys)}
        else:
            names["number"] = formats.quantity(totals.keys)
            text = gettext("top %(top)s of %(number)s %(keys)s") % names
        return " · ".join(filter(None, (text.strip(), str(self.ranking.unit))))

    @property
    def part(self) -> str:
        """The share of the rows that are shown: "36.8 % of all"; "" if that means nothing."""
        share = None if self.snapshot is None else self.snapshot.shown_share(self.size)
        return "" if share is None else gettext("%(share)s of all") % {"share": formats.percent(share)}

    @property
    def total(self) -> str:
        return "" if self.snapshot is None else self.snapshot.total

    @property
    def zero(self) -> float:
        """Where the bars' zero is, in per cent of their width."""
        return 0 if self.snapshot is None else self.snapshot.zero(self.size)

    @property
    def comparison(self) -> Comparison | None:
        return None if self.snapshot is None else self.snapshot.comparison

    @property
    def awaits_comparison(self) -> bool:
        """Whether the history is too young to tell movement from."""
        return is_kept() and self.snapshot is not None and self.comparison is None

    @property
    def _totals(self) -> Totals | None:
        return None if self.snapshot is None else self.snapshot.totals

    @property
    def top(self) -> int:
        """The number of rows that are shown if there are as many."""
        return self.size or self.ranking.size

"""What is told of rankings beside their rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from live.snapshots import Comparison, Snapshot
    from live.thresholds import Alert


class Annotations:
    """What snapshots are compared with, and which thresholds are crossed. All by Ranking.id."""

    def __init__(self) -> None:
        self.comparisons: dict[str, Comparison] = {}
        self.alerts: dict[str, tuple[Alert, ...]] = {}

    def annotated(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot with what is known beside its rows."""
        id_ = snapshot.ranking.id
        comparison, alerts = self.comparisons.get(id_), self.alerts.get(id_, ())
        return replace(snapshot, comparison=comparison, alerts=alerts, rendered={})

    def changed(self, snapshots: Iterable[Snapshot]) -> Iterator[Snapshot]:
        """Yield those of the snapshots anew of which something else is known now."""
        for snapshot in snapshots:
            new = self.annotated(snapshot)
            moments = [one.comparison and one.comparison.at for one in (snapshot, new)]
            if moments[0] != moments[1] or snapshot.alerts != new.alerts:
                yield new

    def forget(self, id_: str) -> None:
        """Forget what is told of a ranking that has been deleted, or is another one now."""
        self.comparisons.pop(id_, None)
        self.alerts.pop(id_, None)

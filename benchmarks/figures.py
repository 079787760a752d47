"""How the benchmarks summarize figures."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def quantile(figures: Sequence[float], share: float) -> float:
    """Return the figure that `share` of the others don't exceed."""
    ordered = sorted(figures)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def spread(figures: Sequence[float], digits: int = 2) -> str:
    """Format the median and the range that holds nine in ten of the figures."""
    low, high = quantile(figures, 0.05), quantile(figures, 0.95)
    return f"{statistics.median(figures):,.{digits}f} ({low:,.{digits}f} – {high:,.{digits}f})"

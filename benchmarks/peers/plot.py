"""Draw the results, a JSON file, as an SVG for light and dark pages."""

from __future__ import annotations

import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullLocator

PANELS = (
    ("p95", "Commit to viewer, p95 (ms)"),
    ("cpu", "CPU per viewer and commit (µs)"),
    ("idle_cpu", "CPU per viewer while nothing changes (µs/s)"),
    ("memory", "Memory per viewer (KiB)"),
)
# Each has a marker of its own, and a brightness that contrasts with light and dark pages.
STYLES = (
    ("#2f81f7", "o"),
    ("#1a9aa0", "P"),
    ("#db8b00", "s"),
    ("#2da44e", "^"),
    ("#bf5af2", "D"),
    ("#e5534b", "v"),
)
GREY = "#7d8590"


def points(some: list[dict[str, Any]], measure: str) -> list[tuple[int, float]]:
    """Return pairs of (viewers, median) where there is a positive, finite median."""
    medians = [(result["wanted"], statistics.median(result[measure])) for result in some if result[measure]]
    return [(viewers, median) for viewers, median in medians if 0 < median < math.inf]


def draw(results: dict[str, list[dict[str, Any]]], path: str) -> None:
    """Write the plot to `path`."""
    plt.rcParams |= {
        "svg.fonttype": "none",
        "svg.hashsalt": "peers",
        "font.family": "sans-serif",
        "font.size": 10,
        **dict.fromkeys(
            ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY
        ),
    }
    figure, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    ticks = sorted({result["wanted"] for some in results.values() for result in some})
    for axis, (measure, label) in zip(axes.flat, PANELS, strict=True):
        axis.set(title=label, xlabel="viewers", xscale="log")
        axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axis.xaxis.minorticks_off()
        axis.grid(color=GREY, alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
        for (title, some), (colour, marker) in zip(results.items(), STYLES, strict=False):
            drawn = points(some, measure)
            axis.plot(
                [viewers for viewers, _ in drawn],
                [figure for _, figure in drawn],
                color=colour,
                marker=marker,
                label=title,
            )
            if drawn:
                axis.set_yscale("log")
                axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.yaxis.set_minor_locator(NullLocator())
                axis.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    figure.legend(
        *axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])

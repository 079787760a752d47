"""Draw the results, JSON on the standard input, as an SVG that reads on light and on dark pages."""

from __future__ import annotations

import json
import math
import statistics
import sys
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
# Told apart by shape too, and of a middle brightness.
STYLES = (
    ("#2f81f7", "o"),
    ("#1a9aa0", "P"),
    ("#db8b00", "s"),
    ("#2da44e", "^"),
    ("#bf5af2", "D"),
    ("#e5534b", "v"),
)
GREY = "#7d8590"


def draw(results: dict[str, list[dict[str, Any]]], path: str) -> None:
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
    for axis, (measure, label) in zip(axes.flat, PANELS, strict=True):
        for (title, some), (colour, marker) in zip(results.items(), STYLES, strict=False):
            points = [
                (result["wanted"], statistics.median(result[measure])) for result in some if result[measure]
            ]
            points = [(viewers, figure) for viewers, figure in points if 0 < figure < math.inf]
            axis.plot(
                *zip(*points, strict=True) if points else ([], []), color=colour, marker=marker, label=title
            )
        axis.set(xscale="log", yscale="log", title=label, xlabel="viewers")
        axis.grid(color=GREY, alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_xticks(ticks := sorted({result["wanted"] for some in results.values() for result in some}))
        axis.set_xticklabels([f"{tick:,}" for tick in ticks])
        axis.xaxis.minorticks_off()
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    figure.legend(
        *axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    draw(json.load(sys.stdin), sys.argv[1])

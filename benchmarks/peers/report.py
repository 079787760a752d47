"""Format the results as a section of docs/benchmarks.md, with a table for each number of viewers."""

from __future__ import annotations

import math
import statistics
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.peers.trial import Plan, Result

#: The load from which a core counts as full. Each viewer then gets less CPU than it needs.
FULL = 0.95
#: Characters in a line of the document.
WIDTH = 120
TITLE = "## Compared with alternatives"
INTRODUCTION = (Path(__file__).parent / "introduction.md").read_text()
HEAD = (
    "| | commit to viewer, p50 ms | p95 ms | CPU per viewer and commit, µs | core, % | "
    "idle CPU per viewer, µs/s | memory per viewer, KiB | SELECTs/s idle | with commits |"
)


def number(figure: float, plan: Plan, digits: int = 0) -> str:
    """Format a figure; an infinite one as longer than the timeout of the plan."""
    return f"> {plan.timeout_seconds * 1000:,.0f}" if math.isinf(figure) else f"{figure:,.{digits}f}"


def spread(figures: Sequence[float], plan: Plan, digits: int = 0) -> str:
    """Format the median of the repeats with the minimum and the maximum."""
    three = min(figures), statistics.median(figures), max(figures)
    low, middle, high = (number(figure, plan, digits) for figure in three)
    return middle if low == high else f"{middle} ({low} – {high})"


def row(title: str, result: Result, plan: Plan) -> str:
    """Return a line of a table."""
    if not result.p50:
        reason = f"{result.open:,} of {result.wanted:,} connected within {plan.connect_seconds:.0f} s"
        return f"| {title} | {reason} |" + " |" * 7
    if result.lost:
        title += f", {result.lost:,} connections lost"
    cells = [
        title,
        spread(result.p50, plan),
        spread(result.p95, plan),
        spread(result.cpu, plan),
        spread([100 * load for load in result.load], plan) + ("‡" if full(result) else ""),
        spread(result.idle_cpu, plan),
        spread(result.memory, plan) if result.memory else "–",
        spread(result.idle_queries, plan, 1),
        spread(result.queries, plan, 1),
    ]
    return f"| {' | '.join(cells)} |"


def full(result: Result) -> bool:
    """Tell whether the server used its core up."""
    return statistics.median(result.load) >= FULL


def section(hows: Sequence[str], results: Mapping[str, Sequence[Result]], plan: Plan) -> str:
    """Return the whole section."""
    introduction = INTRODUCTION.format(
        hows="\n".join(
            textwrap.fill(how, WIDTH, subsequent_indent="  ", break_on_hyphens=False) for how in hows
        ),
        spacing=plan.spacing_seconds,
        repeats=plan.repeats,
        commits=plan.commits,
        idle=plan.idle_seconds,
    )
    return f"{TITLE}\n\n{introduction}\n{tables(results, plan)}"


def tables(results: Mapping[str, Sequence[Result]], plan: Plan) -> str:
    """Return all tables."""
    lines = []
    for count in dict.fromkeys(result.wanted for some in results.values() for result in some):
        lines += [
            f"{count:,} viewers:" if count != 1 else "1 viewer:",
            "",
            HEAD,
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for title, some in results.items():
            lines += [row(title, result, plan) for result in some if result.wanted == count]
            if some[-1].wanted < count:
                lines.append(f"| {title} | not tried: {some[-1].wanted:,} are too many |" + " |" * 7)
        lines.append("")
    return "\n".join(lines + browser_table(results, plan))


def browser_table(results: Mapping[str, Sequence[Result]], plan: Plan) -> list[str]:
    """Return the table that compares the viewers on the wire with Chromium."""
    lines = []
    for title, some in results.items():
        for result in some:
            if result.browser and result.p50:
                wire = statistics.median(result.p50), statistics.median(result.p95)
                page = statistics.median(result.browser), max(result.browser)
                cells = [title, *(number(figure, plan) for figure in (*wire, *page))]
                lines.append(f"| {' | '.join(cells)} |")
    if not lines:
        return []
    return [
        "From the commit to the document in Chromium, compared with the viewers on the wire, in ms:",
        "",
        "| | wire p50 | p95 | Chromium p50 | max |",
        "|---|---:|---:|---:|---:|",
        *lines,
        "",
    ]

"""Writes the tables of docs/conformance.md; what stands around them there is written by hand."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tests.conformance.results import Row

_BEGIN, _END = "<!-- begin: written by make conformance -->", "<!-- end -->"
# Of skips and failures the most frequent are listed; of skips, so far, all.
_MOST = 100


def write(path: Path, *, intro: str, rows: Sequence[Row], missing: Sequence[str]) -> None:
    """Replace what stands between the two marks of the file."""
    text = path.read_text()
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{path} has lost its marks: {_BEGIN!r} and {_END!r}.")
    path.write_text(f"{before}{_BEGIN}\n\n{_tables(intro, rows, missing)}\n{_END}{after}")


def _tables(intro: str, rows: Sequence[Row], missing: Sequence[str]) -> str:
    parts = [
        intro,
        "",
        "| application | passes on PostgreSQL | passes here | skipped | failed |",
        "|---|--:|--:|--:|--:|",
    ]
    parts += [_line(row.app, row.yardstick, row.passed, len(row.skipped), len(row.failed)) for row in rows]
    parts += [f"| **{len(rows)} applications** {_totals(rows)}", ""]
    if missing:
        parts += [f"Not run yet ({len(missing)}): {', '.join(missing)}.", ""]
    parts += _counted("Skipped, by reason", (reason for row in rows for reason in row.skipped.values()))
    parts += _counted("Failed, by error", (_general(error) for row in rows for error in row.failed.values()))
    return "\n".join(parts)


def summary(rows: Iterable[Row]) -> str:
    """Return one line: how many of the tests that pass on PostgreSQL pass here."""
    rows = list(rows)
    yardstick, passed = sum(row.yardstick for row in rows), sum(row.passed for row in rows)
    share = f"{passed / yardstick:.1%}" if yardstick else "none"
    skipped, failed = sum(len(row.skipped) for row in rows), sum(len(row.failed) for row in rows)
    return f"{passed} of {yardstick} pass ({share}), {skipped} skipped, {failed} failed"


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _totals(rows: Sequence[Row]) -> str:
    yardstick, passed = sum(row.yardstick for row in rows), sum(row.passed for row in rows)
    share = f"{passed} ({passed / yardstick:.1%})" if yardstick else "0"
    return _line(
        yardstick, share, sum(len(row.skipped) for row in rows), sum(len(row.failed) for row in rows)
    )


def _counted(title: str, texts: Iterable[str]) -> list[str]:
    counts = Counter(texts).most_common()
    if not counts:
        return []
    shown = [f"- {count} × {text.replace('<', '&lt;')}" for text, count in counts[:_MOST]]
    rest = sum(count for _, count in counts[_MOST:])
    return [f"### {title}", "", *shown, *([f"- {rest} others"] if rest else []), ""]


def _general(error: str) -> str:
    """Leave out what differs from test to test."""
    return re.sub(r"0x[0-9a-f]+|\d+", "N", error)[:100]

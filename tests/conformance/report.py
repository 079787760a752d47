"""Write the tables of docs/conformance.md; the text around them is written by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tests.conformance.results import Row

_BEGIN, _END = "<!-- begin: written by make conformance -->", "<!-- end -->"


@dataclass(frozen=True)
class Configuration:
    """The results of one Django with one driver."""

    django: str
    driver: str
    #: The Python, the server and the date.
    circumstances: str
    rows: Sequence[Row]
    #: Applications that haven't run.
    missing: Sequence[str] = ()


def write(path: Path, configurations: Sequence[Configuration]) -> None:
    """Replace the text between the two marks in the file. Raises ValueError if a mark is missing."""
    text = path.read_text()
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(
            f"{path} must contain the marks {_BEGIN!r} and {_END!r}. Add them where the tables belong."
        )
    tables = "\n".join(_tables(configurations))
    path.write_text(f"{before}{_BEGIN}\n\n{tables}\n\n{_END}{after}")


def summary(rows: Iterable[Row]) -> str:
    """Return a line with the number of tests that pass here, of those that pass on PostgreSQL."""
    there, here, skipped, failed = _totals(rows)
    return f"{here} of {there} pass ({_share(here, there)}), {skipped} skipped, {failed} failed"


def failures(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a line for each test that failed."""
    return (f"{test}: {error}" for row in rows for test, error in row.failed.items())


def _tables(configurations: Sequence[Configuration]) -> Iterator[str]:
    yield _line("Django", "driver", "passes on PostgreSQL", "passes here", "skipped", "failed", "run with")
    yield "|---|---|--:|--:|--:|--:|---|"
    for each in configurations:
        there, here, skipped, failed = _totals(each.rows)
        share = f"{here} ({_share(here, there)})"
        yield _line(each.django, each.driver, there, share, skipped, failed, each.circumstances)
    for each in configurations:
        if each.missing:
            yield f"\nNot run with Django {each.django} and {each.driver}: {', '.join(each.missing)}."

    first = configurations[0]
    yield f"\n### By application: Django {first.django}, {first.driver}\n"
    yield _line("application", "passes on PostgreSQL", "passes here", "skipped", "failed")
    yield "|---|--:|--:|--:|--:|"
    for row in first.rows:
        yield _line(row.app, *_totals([row]))

    yield "\n### Skipped, by reason\n"
    yield _line("reason", *(f"{each.django} {each.driver.split()[0]}" for each in configurations))
    yield f"|---|{'--:|' * len(configurations)}"
    counts = [
        Counter(_cell(reason) for row in each.rows for reason in row.skipped.values())
        for each in configurations
    ]
    for reason in sorted(set().union(*counts), key=lambda reason: (-max(c[reason] for c in counts), reason)):
        yield _line(reason, *(count[reason] or "" for count in counts))

    yield "\n### The tests' own statements that RisingWave would refuse\n"
    yield _line("why", "how many", "sent by tests of")
    yield "|---|--:|---|"
    own = [(why, row.app) for row in first.rows for why in row.own]
    for why, count in Counter(why for why, _ in own).most_common():
        yield _line(_cell(why), count, ", ".join(sorted({app for other, app in own if other == why})))


def _totals(rows: Iterable[Row]) -> tuple[int, int, int, int]:
    rows = list(rows)
    return (
        sum(row.yardstick for row in rows),
        sum(row.passed for row in rows),
        sum(len(row.skipped) for row in rows),
        sum(len(row.failed) for row in rows),
    )


def _share(part: int, whole: int) -> str:
    # Round down: 94.96 % must not be reported as 95 %.
    return f"{int(1000 * part / whole) / 10} %" if whole else "none"


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _cell(text: str) -> str:
    return text.replace("<", "&lt;").replace("|", r"\|")

"""Writes the tables of docs/reliability.md; the text around them is written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tests.faults.results import Result
    from tests.faults.scenario import Scenario

BEGIN, END = "<!-- begin: written by make faults -->", "<!-- end -->"
#: Figures that have a column of their own. The others share the last one.
NOTICED, BACK, LOG_LINES = "noticed after", "back after", "log lines in a minute"
COLUMNS = (NOTICED, BACK, LOG_LINES)


def write(path: Path, results: Sequence[tuple[Scenario, Result | None]]) -> None:
    """Replace the text between the two marks in the file. Raises ValueError if a mark is missing."""
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} must contain the marks {BEGIN!r} and {END!r}.")
    text = "\n".join(tables(results))
    path.write_text(f"{before}{BEGIN}\n{text}\n\n{END}{after}")


def tables(results: Sequence[tuple[Scenario, Result | None]]) -> Iterator[str]:
    """Yield the lines: a table for each chapter, and under it what didn't run or pass."""
    ran = [result for _, result in results if result is not None]
    circumstances = sorted({f"{result.date}, commit {result.commit}, {result.machine}" for result in ran})
    yield f"\nMeasured on {'; '.join(circumstances) or 'no machine yet'}."
    for chapter in dict.fromkeys(scenario.chapter for scenario, _ in results):
        rows = [(scenario, result) for scenario, result in results if scenario.chapter == chapter]
        yield f"\n### {chapter}\n"
        yield _line("what happens", *COLUMNS, "and")
        yield "|---|--:|--:|--:|---|"
        for scenario, result in rows:
            if result is not None and result.outcome == "passed":
                yield _row(scenario, result)
        yield from _remarks(rows)


def _row(scenario: Scenario, result: Result) -> str:
    others = [f"{label}: {text}" for label, text in result.figures.items() if label not in COLUMNS]
    columns = (result.figures.get(label, "") for label in COLUMNS)
    return _line(scenario.title, *columns, "<br>".join(map(_cell, others)))


def _remarks(rows: Iterable[tuple[Scenario, Result | None]]) -> Iterator[str]:
    for scenario, result in rows:
        if result is None:
            yield f"\nNot run yet: {scenario.title}."
        elif result.outcome != "passed":
            yield f"\n{result.outcome.capitalize()}: {scenario.title}. {result.message.splitlines()[0]}"


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _cell(text: str) -> str:
    return text.replace("<", "&lt;").replace("|", r"\|")

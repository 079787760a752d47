"""The report of a run, for docs/conformance.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.risingwave import marked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.risingwave.crashes import Result


@dataclass
class Report:
    """What a run has found; None for what hasn't run."""

    server: str
    #: Django, driver and date.
    circumstances: str
    tests: Sequence[marked.Case] | None = None
    #: The tables of the dashboard's benchmarks.
    frames: str | None = None
    pixels: str | None = None
    crashes: Result | None = None
    #: How many statements were recorded.
    recorded: int | None = None
    #: Statements of ours that no transcript has, this run's included.
    unrecorded: Sequence[str] = field(default_factory=list)
    #: What ended a part of the run.
    errors: list[str] = field(default_factory=list)

    @property
    def has_failed(self) -> bool:
        """Whether a test failed, a sum was wrong, or a part of the run ended with an error."""
        failed = any(test.outcome == "failed" for test in self.tests or ())
        return bool(failed or self.errors or (self.crashes and not self.crashes.is_exact))

    def text(self) -> str:
        """Return the report as Markdown."""
        return (
            "\n".join([f"### {self.server}", "", f"{self.circumstances}.", "", *self._parts()]).rstrip()
            + "\n"
        )

    def _parts(self) -> Iterator[str]:
        if self.tests is not None:
            yield from self._tests(self.tests)
        if self.frames is not None:
            yield from ("From an INSERT to the frame of the dashboard that shows it:", "", self.frames, "")
        if self.pixels is not None:
            yield from ("From an INSERT to the page in a browser:", "", self.pixels, "")
        if self.crashes is not None:
            yield from self._crashes(self.crashes)
        if self.recorded is not None:
            yield f"{self.recorded} statements were recorded with their answers."
            yield ""
        if self.unrecorded:
            yield f"{len(self.unrecorded)} statements of ours still have no transcript:"
            yield from ("", "```sql", *self.unrecorded, "```", "")
        yield from (f"- **{error}**" for error in self.errors)

    def _tests(self, tests: Sequence[marked.Case]) -> Iterator[str]:
        compared = [test for test in tests if test.comparison]
        yield "| | number | |"
        yield "|---|--:|---|"
        yield _row("tests", [test for test in tests if not test.comparison])
        yield _row("queries compared with PostgreSQL", compared)
        yield ""
        if compared:
            counts = marked.comparisons(compared)
            yield (
                "Of the queries: "
                + ", ".join(f"{number} {kind}" for kind, number in counts.most_common())
                + "."
            )
            yield ""
        failed = [test for test in tests if test.outcome == "failed"]
        if failed:
            yield "Failed:"
            yield ""
            yield from (f"- `{test.name}`: {test.detail}" for test in failed)
            yield ""

    def _crashes(self, result: Result) -> Iterator[str]:
        yield "| under load | next write accepted after | next change shown after |"
        yield "|---|--:|--:|"
        for crash in result.crashes:
            yield f"| {crash.name} | {crash.written_after:.1f} s | {crash.seen_after:.1f} s |"
        table, view = result.sums
        equal = "the same as" if result.is_exact else "**not** the same as"
        yield ""
        yield (
            f"{result.kept:,} of {result.accepted:,} accepted order lines are there. Their quantity is "
            f"{table}, {equal} that of the view, {view}."
        )
        yield ""


def _row(name: str, tests: Sequence[marked.Case]) -> str:
    counts = marked.outcomes(tests)
    details = ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "skipped", "failed"))
    return f"| {name} | {len(tests)} | {details} |"

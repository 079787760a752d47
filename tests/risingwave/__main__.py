"""`python -m tests.risingwave [--only part …] [-- pytest's arguments]`: what only a RisingWave can tell.

RISINGWAVE_URL is a server for tests: databases are created on it and dropped. If RISINGWAVE_KILL and
RISINGWAVE_START are shell commands that end it by `kill -9` and start it again, it is killed under load.

The report, the transcripts and pytest's results are kept in .live/<version>/.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import django
from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]  # psycopg2 or psycopg

from benchmarks.processes import CHROMIUM, ROOT
from demo import postgres
from tests.risingwave import crashes, dashboard, marked, servers
from tests.risingwave.recorder import Recorder
from tests.risingwave.report import Report
from tests.risingwave.unrecorded import ask, unrecorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PARTS = ("tests", "dashboard", "crashes")
# What a part raises if the server, a process or a measurement fails. Any other exception is a bug.
_PART_ERRORS = (
    AssertionError,
    OSError,
    RuntimeError,
    servers.ServerError,
    Database.Error,
    subprocess.SubprocessError,
)


def main() -> int:
    """Return 0 on success, 1 if something failed, 2 without a server to run on."""
    arguments = _arguments()
    try:
        url = servers.given_url()
    except servers.ServerError as error:
        print(error, file=sys.stderr)  # noqa: T201 - output of the command
        return 2
    version = servers.version(url)
    folder = Path(arguments.folder) / version.version
    folder.mkdir(parents=True, exist_ok=True)
    driver = f"{Database.__name__} {Database.__version__.split()[0]}"
    date = datetime.now(UTC).date()
    report = Report(version.name, f"Django {django.get_version()}, {driver}, {date}")
    parts: dict[str, Callable[[], None]] = {
        "tests": lambda: _run_tests(url, folder, arguments.pytest, report),
        "dashboard": lambda: _measure_dashboard(url, arguments.orders, report),
        "crashes": lambda: _crash(url, report),
    }
    for name in arguments.only or PARTS:
        attempt(name, parts[name], report)
    text = report.text()
    (folder / "report.md").write_text(text, encoding="utf-8")
    print(text)  # noqa: T201 - output of the command
    return 1 if report.has_failed else 0


def attempt(name: str, part: Callable[[], object], report: Report) -> None:
    """Run a part. An error ends only this part, and is in the report."""
    try:
        part()
    except _PART_ERRORS as error:
        report.errors.append(f"{name}: {' '.join(str(error).split())}")


def _run_tests(url: str, folder: Path, arguments: list[str], report: Report) -> None:
    with Recorder(url) as recorder:
        report.tests = marked.run(recorder.url, folder, arguments)
        left = unrecorded(recorder.recording.transcripts)
        with servers.temporary_database(recorder.url, "make_live") as database:
            ask(database, left)
    recording = recorder.recording
    recording.write(folder / "transcripts.jsonl")
    report.recorded = len(recording.transcripts)
    report.unrecorded = unrecorded(recording.transcripts)


def _measure_dashboard(url: str, orders: int, report: Report) -> None:
    with _default_database() as default_url, servers.temporary_database(url, "make_live") as database:
        report.frames = dashboard.measure_frames(database, default_url, orders)
    if CHROMIUM:
        with _default_database() as default_url, servers.temporary_database(url, "make_live") as database:
            report.pixels = dashboard.measure_pixels(database, default_url, orders)


def _crash(url: str, report: Report) -> None:
    kill, start = os.environ.get("RISINGWAVE_KILL"), os.environ.get("RISINGWAVE_START")
    with _default_database() as default_url, servers.temporary_database(url, "make_live") as database:
        report.crashes = crashes.run(database, default_url, kill, start)


@contextmanager
def _default_database() -> Iterator[str]:
    """Run a PostgreSQL for the users and sessions of the site, and yield its URL."""
    with tempfile.TemporaryDirectory() as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            yield postgres.url("dashboard", Path(folder) / "postgres")
        finally:
            server.stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.risingwave", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="a part to run; default: all")
    parser.add_argument("--orders", type=int, default=60, help="orders of the benchmark; default: 60")
    parser.add_argument("--folder", default=ROOT / ".live", help="where results are kept; default: .live")
    parser.add_argument("pytest", nargs="*", help="arguments of pytest, after --")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

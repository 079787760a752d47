"""Run Django's test applications, with results in .conformance/results-<Django>-<driver>/."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import django

from tests.conformance import report, server, suite, yardstick
from tests.conformance.apps import APPS, UNCOUNTED
from tests.conformance.results import Row, Run, compare, read

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".conformance"
YARDSTICK, HERE = "django.db.backends.postgresql", "django_risingwave"
_CIRCUMSTANCES = "circumstances.json"


class Runs:
    """The runs with one Django and one driver."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = folder.name.removeprefix("results-")

    @classmethod
    def of_installed_versions(cls) -> Runs:
        """Return the runs with the Django and the driver of this Python."""
        name = f"results-{django.get_version()}-{server.driver().split()[0]}"
        return cls(CACHE / name)

    @classmethod
    def all(cls) -> list[Runs]:
        """Return all runs with results, psycopg2's before psycopg's."""
        folders = [path.parent for path in CACHE.glob(f"results-*/{_CIRCUMSTANCES}")]
        return sorted(map(cls, folders), key=lambda runs: (runs.name.split("-")[0], len(runs.name) * -1))

    def of(self, app: str, engine: str) -> Run:
        """Return one application's run."""
        return read(self._results(app, engine))

    def row(self, app: str, *, recorded: bool = False) -> Row:
        """Compare this backend's run with Django's backend's, or with its recorded results.

        Raises KeyError if the application has no recorded results.
        """
        here = self.of(app, HERE)
        if recorded:
            return yardstick.read(self.name)[app].compare(app, here)
        return compare(app, self._passing(app), here)

    def excluded(self, app: str) -> list[str]:
        """Return the tests that don't pass on PostgreSQL or are skipped there."""
        return sorted(set(self.of(app, HERE).planned) - self._passing(app))

    def _passing(self, app: str) -> set[str]:
        return self.of(app, YARDSTICK).passed() - UNCOUNTED

    def configuration(self) -> report.Configuration:
        """Return all results, for the report."""
        facts = json.loads((self._folder / _CIRCUMSTANCES).read_text())
        ended = {app: run for app in APPS if (run := self.of(app, HERE)).end}
        date = max((run.date for run in ended.values()), default="")
        return report.Configuration(
            facts["django"],
            facts["driver"],
            f"Python {facts['python']}, PostgreSQL {facts['postgresql']}, {date}",
            [self.row(app) for app in ended],
            [app for app in APPS if app not in ended],
        )

    def run(
        self, apps: Sequence[str], url: str, *, engines: Sequence[str], again: bool, jobs: int, timeout: int
    ) -> None:
        """Run applications that haven't finished, `jobs` in parallel, each for at most `timeout` seconds.

        With `again`, run finished applications again on this backend.
        """
        runtests = suite.fetch(CACHE) / "runtests.py"
        self._folder.mkdir(parents=True, exist_ok=True)
        facts = {
            "django": django.get_version(),
            "driver": server.driver(),
            "python": platform.python_version(),
            "postgresql": server.version(url),
        }
        (self._folder / _CIRCUMSTANCES).write_text(json.dumps(facts) + "\n")
        # Each parallel run takes a slot, whose number is part of the names of its databases.
        slots: SimpleQueue[int] = SimpleQueue()
        for slot in range(jobs):
            slots.put(slot)

        def run(app: str) -> None:
            slot = slots.get()
            try:
                for engine in engines:
                    if not self.of(app, engine).end or (again and engine == HERE):
                        self._run(runtests, url, app, engine, slot, timeout)
            finally:
                slots.put(slot)
            print(f"{app}: {self.of(app, HERE).summary()}", flush=True)  # noqa: T201 - shows the progress

        with ThreadPoolExecutor(jobs) as pool:
            try:
                list(pool.map(run, apps))
            except BaseException:
                # Let Ctrl-C end the whole run, not only the running applications.
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _results(self, app: str, engine: str) -> Path:
        return self._folder / f"{app}.{engine}.jsonl"

    def _run(self, runtests: Path, url: str, app: str, engine: str, slot: int, timeout: int) -> None:
        results = self._results(app, engine)
        results.unlink(missing_ok=True)
        environment = os.environ | {
            "CONFORMANCE_ENGINE": engine,
            "CONFORMANCE_SLOT": str(slot),
            "CONFORMANCE_RESULTS": str(results),
            "CONFORMANCE_URL": url,
            "PYTHONPATH": str(ROOT),
        }
        command = [
            sys.executable,
            str(runtests),
            "--settings=tests.conformance.settings",
            "--parallel=1",
            "--noinput",
            app,
        ]
        began, end = time.monotonic(), "finished"
        with results.with_suffix(".log").open("w") as log:
            try:
                subprocess.run(
                    command,
                    env=environment,
                    cwd=runtests.parent,
                    check=False,
                    stdout=log,
                    stderr=log,
                    timeout=timeout,
                )
            except subprocess.TimeoutExpired:
                end = "timeout"
        entry = {
            "end": end,
            "seconds": round(time.monotonic() - began, 1),
            "date": datetime.now(UTC).date().isoformat(),
        }
        with results.open("a") as file:
            file.write(json.dumps(entry) + "\n")

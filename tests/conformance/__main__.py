"""`python -m tests.conformance [--again] [--timeout SECONDS] [application …]`: run, and write the report.

What ended is kept in .conformance/ and not run again, so a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import django

from tests.conformance import report, server, suite
from tests.conformance.apps import APPS
from tests.conformance.results import Row, compare, read

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".conformance"
RESULTS = CACHE / f"results-{django.get_version()}"
REPORT = ROOT / "docs" / "conformance.md"
YARDSTICK, HERE = "django.db.backends.postgresql", "django_risingwave"


def main() -> int:
    """Return 0 if no test failed that passes on PostgreSQL, 1 if one did, 2 if there is nothing to run on."""
    arguments = _arguments()
    apps = arguments.app or APPS
    try:
        with server.postgresql() as url:
            runtests = suite.fetch(CACHE) / "runtests.py"
            RESULTS.mkdir(parents=True, exist_ok=True)
            for app in apps:
                for engine in (YARDSTICK, HERE):
                    _run(runtests, url, app, engine, arguments)
                print(f"{app}: {report.summary([_row(app)])}", flush=True)  # noqa: T201 - says how far it is
            postgresql = server.version(url)
    except server.ServerError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's own words
        return 2
    return _report(postgresql)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("app", nargs="*", choices=[*APPS, []], metavar="application", help="by default all")
    parser.add_argument("--again", action="store_true", help="run on this backend also what has ended")
    parser.add_argument("--timeout", type=int, default=1800, help="of one application, in seconds")
    return parser.parse_args()


def _results(app: str, engine: str) -> Path:
    return RESULTS / f"{app}.{engine}.jsonl"


def _run(runtests: Path, url: str, app: str, engine: str, arguments: argparse.Namespace) -> None:
    results = _results(app, engine)
    if read(results).end and not (arguments.again and engine == HERE):
        return
    results.unlink(missing_ok=True)
    environment = os.environ | {
        "CONFORMANCE_ENGINE": engine,
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
                timeout=arguments.timeout,
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


def _row(app: str) -> Row:
    return compare(app, read(_results(app, YARDSTICK)), read(_results(app, HERE)))


def _report(postgresql: str) -> int:
    runs = {app: read(_results(app, HERE)) for app in APPS}
    rows = [_row(app) for app in APPS if runs[app].end]
    dates = sorted({run.date for run in runs.values() if run.date})
    dated = f"{dates[0]} to {dates[-1]}" if len(dates) > 1 else "".join(dates)
    intro = (
        f"Django {django.get_version()}, Python {platform.python_version()}, {server.driver()}, "
        f"PostgreSQL {postgresql}; {dated}."
    )
    report.write(REPORT, intro=intro, rows=rows, missing=[app for app in APPS if not runs[app].end])
    print(report.summary(rows))  # noqa: T201 - the result
    return 1 if any(row.failed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

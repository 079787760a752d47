"""`python -m tests.conformance [--again] [--part] [application …]`: run, and write the report.

What ended is kept in .conformance/ and not run again, so a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import sys

from tests.conformance import report, server, yardstick
from tests.conformance.apps import APPS, PART
from tests.conformance.runs import HERE, ROOT, YARDSTICK, Runs

REPORT = ROOT / "docs" / "conformance.md"


def main() -> int:
    """Return 0 if all is well, 1 if a test failed that passes on PostgreSQL, 2 if there is nothing to run on.

    A test that sent what RisingWave would refuse has failed.
    """
    arguments = _arguments()
    apps = arguments.app or (PART if arguments.part else APPS)
    runs = Runs.of_what_is_installed()
    try:
        with server.postgresql() as url:
            runs.run(
                apps,
                url,
                engines=[HERE] if arguments.part else [YARDSTICK, HERE],
                again=arguments.again or arguments.part,
                jobs=arguments.jobs,
                timeout=arguments.timeout,
            )
    except server.ServerError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's own words
        return 2
    rows = [runs.row(app, recorded=arguments.part) for app in apps]
    if not arguments.part:
        yardstick.write(runs.name, rows, {app: runs.without(app) for app in apps})
        report.write(REPORT, [each.configuration() for each in Runs.all()])
    for line in report.failures(rows):
        print(line)  # noqa: T201 - the result
    print(f"Django-driver {runs.name}: {report.summary(rows)}")  # noqa: T201 - the result
    return 1 if any(row.failed for row in rows) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("app", nargs="*", choices=[*APPS, []], metavar="application", help="by default all")
    parser.add_argument("--again", action="store_true", help="run on this backend also what has ended")
    parser.add_argument(
        "--part",
        action="store_true",
        help="run the most telling on this backend; compare with what is recorded",
    )
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="at the same time")
    parser.add_argument("--timeout", type=int, default=1800, help="of one application, in seconds")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.conformance [--again] [--part] [application …]`: run Django's tests and write the report.

Results are kept in .conformance/. Finished applications don't run again, so an interrupted run can be
resumed.
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
    """Return 0 on success, 1 if a test failed that passes on PostgreSQL, 2 without a server to run on.

    A test that sends a statement which RisingWave would refuse counts as failed.
    """
    arguments = _arguments()
    apps = arguments.app or (PART if arguments.part else APPS)
    runs = Runs.of_installed_versions()
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
        print(error, file=sys.stderr)  # noqa: T201 - output of the command
        return 2
    rows = [runs.row(app, recorded=arguments.part) for app in apps]
    if not arguments.part:
        yardstick.write(runs.name, rows, {app: runs.excluded(app) for app in apps})
        report.write(REPORT, [each.configuration() for each in Runs.all()])
    for line in report.failures(rows):
        print(line)  # noqa: T201 - output of the command
    print(f"Django-driver {runs.name}: {report.summary(rows)}")  # noqa: T201 - output of the command
    return 1 if any(row.failed for row in rows) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument(
        "app",
        nargs="*",
        choices=[*APPS, []],
        metavar="application",
        help="applications to run (default: all)",
    )
    parser.add_argument(
        "--again", action="store_true", help="run finished applications again on this backend"
    )
    parser.add_argument(
        "--part",
        action="store_true",
        help="run the applications that cover most on this backend only; compare with recorded results",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=min(2, os.cpu_count() or 1),
        help="number of applications to run in parallel",
    )
    parser.add_argument(
        "--timeout", type=int, default=1800, help="seconds after which an application is stopped"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.faults [--again] [--quick] [--list] [scenario …]`: harm a site, and report.

Results are kept in .faults/. Scenarios that have passed at this commit don't run again, so an interrupted run
can be resumed. docs/reliability.md gets the figures of all scenarios that have run.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import django

from tests.faults.environment import ENVIRONMENT

os.environ.update(ENVIRONMENT)
django.setup()

from tests.faults import report, results  # noqa: E402 - after django.setup()
from tests.faults.lab import Templates  # noqa: E402
from tests.faults.scenario import all_scenarios  # noqa: E402
from tests.processes import ROOT  # noqa: E402

FOLDER = ROOT / ".faults"
REPORT = ROOT / "docs" / "reliability.md"


def main() -> int:
    """Return 0 if all scenarios have passed or can't run on this machine, 1 otherwise."""
    scenarios = all_scenarios()
    arguments = _arguments(list(scenarios))
    if arguments.list:
        for scenario in scenarios.values():
            _say(f"{scenario.name:40} {scenario.title}")
        return 0
    names = arguments.scenario or [
        name for name, scenario in scenarios.items() if scenario.is_quick or not arguments.quick
    ]
    FOLDER.mkdir(exist_ok=True)
    commit, failed = results.commit(), False
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        # The servers' own user must reach the data.
        Path(folder).chmod(0o755)
        templates = Templates(Path(folder))
        for name in names:
            file = FOLDER / f"{name}.json"
            result = results.Result.read(file)
            if arguments.again or result is None or (result.outcome, result.commit) != ("passed", commit):
                _say(f"{name}: {scenarios[name].title}")
                result = results.run(scenarios[name], FOLDER / name, templates)
                result.write(file)
            failed |= result.outcome == "failed"
            _say(f"{name}: {result.outcome} in {result.seconds:.0f} s. {result.message}")
            for label, text in result.figures.items():
                _say(f"    {label}: {text}")
    if not arguments.no_report:
        rows = [(each, results.Result.read(FOLDER / f"{each.name}.json")) for each in scenarios.values()]
        report.write(REPORT, rows)
    return int(failed)


def _arguments(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("scenario", nargs="*", choices=[*names, []], help="scenarios to run (default: all)")
    parser.add_argument("--again", action="store_true", help="run scenarios again that have passed")
    parser.add_argument("--quick", action="store_true", help="run only those that `make test` runs too")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument("--no-report", action="store_true", help="leave docs/reliability.md as it is")
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - output of the command


if __name__ == "__main__":
    sys.exit(main())

"""Runs scenarios and keeps their results in files, so that an interrupted run can be resumed."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import time
import traceback
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psutil

from tests.faults.lab import Lab, SkippedError
from tests.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.lab import Templates
    from tests.faults.scenario import Scenario


@dataclass(frozen=True)
class Result:
    """What became of a scenario."""

    #: "passed", "failed" or "skipped".
    outcome: str
    #: Why it failed or was skipped.
    message: str
    seconds: float
    commit: str
    date: str
    machine: str
    figures: dict[str, str] = field(default_factory=dict)

    def write(self, file: Path) -> None:
        """Keep the result in a file."""
        file.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, file: Path) -> Result | None:
        """Return the result in a file, or None if there is none."""
        try:
            return cls(**json.loads(file.read_text()))
        except FileNotFoundError:
            return None


def run(scenario: Scenario, folder: Path, templates: Templates) -> Result:
    """Run a scenario in a folder of its own, which is deleted unless the scenario fails."""
    shutil.rmtree(folder, ignore_errors=True)
    began = time.monotonic()
    lab = Lab(folder, templates)
    outcome, message = "passed", ""
    try:
        with lab:
            scenario.run(lab)
    except SkippedError as error:
        outcome, message = "skipped", str(error)
    except Exception as error:  # noqa: BLE001 - the other scenarios go on
        outcome, message = "failed", f"{type(error).__name__}: {str(error)[:2000]}"
        (folder / "traceback").write_text(traceback.format_exc())
    if outcome != "failed":
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.monotonic() - began
    date = datetime.now(UTC).date().isoformat()
    return Result(outcome, message, seconds, commit(), date, machine(), lab.figures)


def commit() -> str:
    """Return the commit of the checkout, marked if files have changed since."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip()


def machine() -> str:
    """Return the machine in a few words."""
    memory = psutil.virtual_memory().total / 1024**3
    return f"{psutil.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"

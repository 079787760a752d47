"""examples/production/: the settings of a site that others can reach."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys

import pytest

from benchmarks.processes import DAPHNE
from demo.environment import INSECURE
from tests.processes import ROOT

FOLDER = ROOT / "examples" / "production"
KEY = secrets.token_urlsafe(50)


def check_deploy(**environment: str) -> str:
    """Return what `manage.py check --deploy` says about the example with these variables changed."""
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "ENVIRONMENT_FILE": str(FOLDER / "environment.example"),
            "PYTHONWARNINGS": "error",
            **environment,
        },
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def test_the_checks_find_nothing_in_the_example_with_a_key_of_its_own():
    assert "System check identified no issues" in check_deploy(SECRET_KEY=KEY)


@pytest.mark.parametrize(
    ("changed", "warning"),
    [
        pytest.param({}, "security.W009", id="the example's key"),
        pytest.param({"SECRET_KEY": INSECURE + KEY}, "security.W009", id="the demo's key"),
        pytest.param({"SECRET_KEY": KEY, "DEBUG": "true"}, "security.W018", id="DEBUG"),
        pytest.param({"SECRET_KEY": KEY, "HTTPS": "false"}, "security.W008", id="plain HTTP"),
    ],
)
def test_the_checks_warn_of_what_others_must_not_reach(changed, warning):
    assert warning in check_deploy(**changed)


def test_systemd_starts_daphne_with_the_options_that_the_tests_use():
    unit = (FOLDER / "dashboard@.service").read_text()
    command = re.search(r"^ExecStart=((?:.*\\\n)*.*)$", unit, re.MULTILINE)
    assert command
    program, *options, application = command[1].replace("\\\n", "").split()
    assert program.endswith("/daphne")
    assert application == "config.asgi:application"
    tested = [option.replace("{port}", "%i") for option in DAPHNE[1:]]
    assert sorted(options) == sorted(tested)

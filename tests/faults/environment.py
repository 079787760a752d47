"""The environment of the site's processes, whoever runs the scenarios."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.processes import ROOT

ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "SECRET_KEY": "only-for-tests",
    "EXTRA_APPS": "demo.shop",
    "ENVIRONMENT_FILE": os.devnull,
    "LIVE_OPEN": "true",
    # The harness itself asks no database through Django.
    "DATABASE_URL": "postgres:///unused",
    "RISINGWAVE_URL": "postgres:///unused",
}


def manage(*arguments: str, **environment: str) -> None:
    """Run a command of manage.py. Raises CalledProcessError if it fails."""
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, env=os.environ | ENVIRONMENT | environment, check=True)

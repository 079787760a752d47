"""Django's test suite: tests/ of the source distribution of exactly the Django that is installed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from pathlib import Path


def fetch(cache: Path) -> Path:
    """Return the folder with runtests.py, downloaded into `cache` unless it is there already.

    Raises subprocess.CalledProcessError if pip can't get it; pip has said why.
    """
    version = django.get_version()
    tests = cache / f"django-{version}" / "tests"
    if tests.exists():
        return tests
    cache.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    # Without ":all:", which would have pip build its build requirements from source too.
    pip += ["--no-deps", "--no-binary", "django", "--dest", str(cache), f"Django=={version}"]
    subprocess.run(pip, check=True)
    with tarfile.open(cache / f"django-{version}.tar.gz") as archive:
        archive.extractall(cache, filter="data")
    return tests

"""A stand-in server for one benchmark, and how figures are written."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2

from demo import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def migrated_standin() -> Iterator[None]:
    """Start an empty server and put it into the environment, for this process and its children."""
    with tempfile.TemporaryDirectory() as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            os.environ |= {
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "SECRET_KEY": "only-for-the-benchmark",
                "EXTRA_APPS": "demo.shop",
                "ENVIRONMENT_FILE": os.devnull,  # not of a demo that runs in this checkout
                "DATABASE_URL": postgres.url("dashboard", Path(folder) / "postgres"),
                "RISINGWAVE_URL": postgres.url("risingwave", Path(folder) / "postgres"),
            }
            manage("migrate", "--database", "risingwave", "--verbosity", "0")
            with closing(psycopg2.connect(server.get_uri())) as connection:
                version = connection.info.parameter_status("server_version")
            print(f"PostgreSQL {version} (stand-in), {os.cpu_count()} cores\n")
            yield
        finally:
            server.stop()


def manage(*arguments: str) -> None:
    """Run a management command as people do, in a process of its own."""
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, check=True)


def spread(figures: Sequence[float], digits: int = 2) -> str:
    """The median, and where nine in ten of the figures are."""
    ordered = sorted(figures)
    low, high = ordered[int(len(ordered) * 0.05)], ordered[int(len(ordered) * 0.95)]
    return f"{statistics.median(ordered):,.{digits}f} ({low:,.{digits}f} – {high:,.{digits}f})"

"""An empty stand-in server for one benchmark, and the site on it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2

from benchmarks.processes import ROOT
from demo import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


#: The environment of the site, without the addresses of its databases.
SITE = {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "SECRET_KEY": "only-for-the-benchmark",
    "EXTRA_APPS": "demo.shop",
    "ENVIRONMENT_FILE": os.devnull,  # ignore a demo that runs in this checkout
}


@contextmanager
def migrated_standin() -> Iterator[None]:
    """Run a stand-in server with the tables and views of the demo, and set its URLs in os.environ.

    Print the server's version and the number of cores. Child processes inherit the environment.
    """
    with tempfile.TemporaryDirectory() as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            os.environ |= SITE | {
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


def use_given_servers() -> None:
    """Create the tables and views of the demo on the RisingWave at RISINGWAVE_URL."""
    os.environ |= SITE
    manage("migrate", "--database", "risingwave", "--verbosity", "0")


def prepare_site(folder: Path, *, is_open: bool = True, orders: int = 0) -> None:
    """Make the site ready to be served: users' tables, static files in `folder`, `orders` order lines."""
    os.environ |= {"LIVE_OPEN": str(is_open), "STATIC_ROOT": str(folder / "static")}
    manage("migrate", "--verbosity", "0")
    manage("collectstatic", "--no-input", "--verbosity", "0")
    if orders:
        manage("generate_orders", "--count", str(orders), "--seed", "1", "--verbosity", "0")


def manage(*arguments: str) -> None:
    """Run a management command in a process of its own."""
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, check=True)

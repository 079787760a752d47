"""A migrated stand-in that a test may stop: a fixture, which tests/conftest.py imports."""

from __future__ import annotations

import fcntl
import os
import subprocess
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import psutil
import pytest
from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]  # psycopg2 or psycopg

from demo import postgres
from tests.faults.postgres import create_template

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class StandIn:
    """A stand-in with the tables of the site and of the shop: on a copy of `template`."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder = folder
        # With its owner, whom shutil.copytree wouldn't keep.
        subprocess.run(["cp", "--archive", template, folder], check=True)
        self.start()
        self.environment = {
            "DATABASE_URL": postgres.url("dashboard", folder),
            "RISINGWAVE_URL": postgres.url("risingwave", folder),
        }

    def start(self) -> None:
        self.server = postgres.start(self.folder)

    def stop(self) -> None:
        """Stop the server. Does nothing if it doesn't run."""
        if postgres.is_running(self.folder):
            self.server.stop()

    def execute(self, sql: str, *, check: bool = True) -> None:
        """Run statements, each in a transaction of its own; without `check`, ignore their errors."""
        with closing(Database.connect(self.server.get_uri("risingwave"))) as connection:
            connection.autocommit = True
            for statement in sql.split("; "):
                try:
                    connection.cursor().execute(statement)
                except Database.Error:
                    if check:
                        raise

    def insert(self, state: str) -> None:
        with closing(Database.connect(self.server.get_uri("risingwave"))) as connection, connection:
            connection.cursor().execute("INSERT INTO orders (qty, price, state) VALUES (2, 3, %s)", [state])

    def count_orders(self) -> int:
        with (
            closing(Database.connect(self.server.get_uri("risingwave"))) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT count(*) FROM orders")
            ((count,),) = cursor.fetchall()
            return int(count)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let nothing listen."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the server accept connections and answer nothing."""
        postmaster = psutil.Process(self.server.get_pid())
        # First the postmaster, which starts processes for others.
        postmaster.suspend()
        stopped = [postmaster, *postmaster.children(recursive=True)]
        try:
            for process in stopped[1:]:
                # A connection may have ended in the meantime, and its process with it.
                with suppress(psutil.NoSuchProcess):
                    process.suspend()
            yield
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()


@pytest.fixture(scope="session")
def migrated_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the tables of the site and of the shop, which all workers of a run copy."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = shared / "migrated", shared / "migrated.done"
    with (shared / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            create_template(folder, migrated=True)
            done.touch()
    return folder


@pytest.fixture(scope="module")
def own_standin(migrated_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A migrated stand-in that the tests of a module may stop."""
    standin = StandIn(tmp_path_factory.mktemp("own") / "postgres", migrated_template)
    yield standin
    standin.stop()

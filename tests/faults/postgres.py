"""PostgreSQL servers over TCP, which scenarios kill, freeze and empty."""

from __future__ import annotations

import shutil
import signal
import subprocess
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psutil
from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]  # psycopg2 or psycopg

from demo import postgres
from django_risingwave import embedded
from tests.faults.environment import manage
from tests.processes import DEADLINE_SECONDS, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The databases of each server: that of the users and sessions, and that of the rankings.
DATABASES = ("dashboard", "risingwave")
#: Without fsync a killed server keeps what it has committed. Only a machine that loses power wouldn't.
OPTIONS = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200")
#: Migrates both in one process, which imports Django once.
MIGRATE = """
from django.core.management import call_command
for alias in ("default", "risingwave"):
    call_command("migrate", verbosity=0, database=alias)
"""


class Postgres:
    """A server on 127.0.0.1 whose data directory is a copy of `template`."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder, self.template, self.port = folder, template, free_port()
        self.log = folder.with_name(f"{folder.name}.log")
        self._copy(template)
        self.start()

    def url(self, database: str, port: int | None = None) -> str:
        """Return the URL of a database, at the port of a proxy or at the server's own."""
        return f"postgres://{embedded.USER}@127.0.0.1:{port or self.port}/{database}"

    def start(self) -> None:
        """Start the server, and wait until it takes queries."""
        embedded.remove_stale_locks(self.folder)
        wheel = embedded.load_wheel().get_server(self.folder, cleanup_mode=None, start=False)
        wheel.ensure_pgdata_inited()  # It is: this lets the server's own user into the folder.
        command = [wheel.bin_path / "postgres", "-D", self.folder, "-h", "127.0.0.1", "-p", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "-k", "", *OPTIONS],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=wheel.system_user,
                cwd=self.folder,
            )
        wait_until(self.is_ready, self.log.read_text)

    def is_ready(self) -> bool:
        """Return whether the server takes queries. Raises AssertionError with its log if it has exited."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            self.query("SELECT 1")
        except Database.OperationalError:
            return False
        return True

    def query(self, statement: str, *parameters: object, database: str = "risingwave") -> Any:
        """Run a statement at the server itself, and return the first value of its first row, if any."""
        with closing(Database.connect(self.url(database), connect_timeout=5)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters or None)
                return cursor.fetchone()[0] if cursor.description else None

    def kill(self) -> None:
        """End all processes of the server at once, as kill -9 does."""
        processes = self._suspend()
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # A child has ended by itself meanwhile.
                process.kill()
        self.process.wait(DEADLINE_SECONDS)
        psutil.wait_procs(processes, DEADLINE_SECONDS)

    def stop(self) -> None:
        """Stop the server if it runs, frozen or not."""
        if self.process.poll() is None:
            self.kill()

    def replace(self, template: Path) -> None:
        """Start again on a new data directory, a copy of `template`."""
        self.stop()
        shutil.rmtree(self.folder)
        self._copy(template)
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the server accept connections and answer nothing."""
        stopped = self._suspend()
        for process in stopped:
            with suppress(psutil.NoSuchProcess):  # A child has ended by itself meanwhile.
                process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def connections(self) -> int:
        """Return the number of connections of others."""
        return int(
            self.query(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        )

    def _suspend(self) -> list[psutil.Process]:
        """Suspend the postmaster; return it and its children."""
        postmaster = psutil.Process(self.process.pid)
        postmaster.suspend()  # It starts no more.
        return [postmaster, *postmaster.children(recursive=True)]

    def _copy(self, template: Path) -> None:
        # With its owner, whom shutil.copytree wouldn't keep. The data directory may be a mounted file system.
        self.folder.mkdir(exist_ok=True)
        subprocess.run(["cp", "--archive", f"{template}/.", self.folder], check=True)


def create_template(folder: Path, *, migrated: bool) -> Path:
    """Create a data directory with both databases, with or without their tables. Its server doesn't run."""
    server = postgres.start(folder)
    try:
        if migrated:
            migrate({name: postgres.url(name, folder) for name in DATABASES})
    finally:
        process = psutil.Process(server.get_pid())
        process.send_signal(signal.SIGINT)  # Fast shutdown.
        process.wait(DEADLINE_SECONDS)
    return folder


def migrate(urls: dict[str, str]) -> None:
    """Create the tables and views in the databases "dashboard" and "risingwave" at these URLs."""
    manage(
        *("shell", "--verbosity", "0", "--command", MIGRATE),
        DATABASE_URL=urls["dashboard"],
        RISINGWAVE_URL=urls["risingwave"],
    )

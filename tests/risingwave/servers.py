"""The given RisingWave: databases on it, and its end and beginning."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]  # psycopg2 or psycopg

from django_risingwave.version import ServerVersion

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How long the server may need until it answers again: it recovers all its streaming jobs first.
RESTART_SECONDS = 300
#: Seconds between two attempts to reach it.
RETRY_SECONDS = 0.5


class ServerError(Exception):
    """No RisingWave to run on; the text says what is missing."""


def connect(url: str) -> Any:
    """Return a connection in autocommit mode. RisingWave has no transactions."""
    connection = Database.connect(url, connect_timeout=10)
    connection.autocommit = True
    return connection


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Run a statement on a connection of its own and return its rows."""
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []


def given_url() -> str:
    """Return RISINGWAVE_URL. Raises ServerError if it isn't set or not the URL of a RisingWave."""
    url = os.environ.get("RISINGWAVE_URL", "")
    if not url:
        raise ServerError(
            "RISINGWAVE_URL is not set. Give it the address of a RisingWave for tests: "
            "make live RISINGWAVE_URL=postgres://root@127.0.0.1:4566/dev"
        )
    try:
        found = version(url)
    except Database.Error as error:
        raise ServerError(f"RISINGWAVE_URL can't be reached: {str(error).strip()}") from error
    if not found.is_risingwave:
        raise ServerError(f"RISINGWAVE_URL must be a RisingWave's, not that of {found.name}.")
    return url


def version(url: str) -> ServerVersion:
    """Return the server's kind and version."""
    ((text,),) = query(url, "SELECT version()")
    return ServerVersion.parse(text)


def replaced(url: str, *, host: str | None = None, database: str | None = None, **options: str) -> str:
    """Return the URL with another host and port, another database, or more options."""
    parts = urlsplit(url)
    if host is not None:
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        parts = parts._replace(netloc=user + host)
    if database is not None:
        parts = parts._replace(path=f"/{database}")
    if options:
        parts = parts._replace(query="&".join(filter(None, (parts.query, urlencode(options)))))
    return urlunsplit(parts)


@contextmanager
def temporary_database(url: str, name: str) -> Iterator[str]:
    """Create a database on the server for the duration of the block, and yield its URL."""
    with suppress(Database.Error):
        query(url, f'DROP DATABASE "{name}"')
    query(url, f'CREATE DATABASE "{name}"')
    try:
        yield replaced(url, database=name)
    finally:
        query(url, f'DROP DATABASE "{name}"')


def restart(url: str, kill: str, start: str) -> float:
    """Run the two shell commands, and return the seconds from the first to the server's first answer.

    Raises ServerError if the server doesn't answer within RESTART_SECONDS.
    """
    begin = time.monotonic()
    subprocess.run(kill, shell=True, check=True, stdout=subprocess.DEVNULL)
    # It may stay in the foreground.
    subprocess.Popen(start, shell=True, start_new_session=True, stdout=subprocess.DEVNULL)
    while True:
        try:
            query(url, "SELECT 1")
        except Database.Error as error:
            if time.monotonic() > begin + RESTART_SECONDS:
                raise ServerError(
                    f"RisingWave doesn't answer {RESTART_SECONDS} s after {kill!r} and {start!r}: {error}"
                ) from error
            time.sleep(RETRY_SECONDS)
        else:
            return time.monotonic() - begin

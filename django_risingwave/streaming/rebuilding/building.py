"""Builds of materialized views, which RisingWave does in the background while this module waits and reports.

In the foreground CREATE MATERIALIZED VIEW returns when the view has the rows of its sources, which may take
hours. psycopg2 can't be interrupted as long, and a lost connection leaves open what becomes of the view. With
background_ddl the statement returns at once, the server goes on by itself, and rw_ddl_progress lists the view
until it is there: https://docs.risingwave.com/sql/commands/sql-set-background-ddl (RisingWave 2.8.0).
"""

from __future__ import annotations

import logging
import re
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from django.db import Error, OperationalError, ProgrammingError

from django_risingwave.streaming.identifiers import NAME, unquoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.management.base import OutputWrapper

    from django_risingwave.base import DatabaseWrapper

#: `manage.py migrate` shows what is logged here.
logger = logging.getLogger("django_risingwave.migrations")

# Seconds between two looks at a build: short at first, since an empty view takes a second or two.
_FIRST_POLL_SECONDS = 0.05
_POLL_SECONDS = 1.0
#: Seconds between two lines about a build.
REPORT_SECONDS = 5.0
#: Seconds that a view may be neither listed as being built nor readable. RisingWave's frontend learns of the
#: end of a build a moment after the meta node, which keeps the list.
MISSING_SECONDS = 10.0

_BUILT_NAME = re.compile(
    rf"\s*CREATE\s+MATERIALIZED\s+VIEW\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:{NAME}\.)?({NAME})", re.IGNORECASE
)


@contextmanager
def progress_written(stream: OutputWrapper | None) -> Iterator[None]:
    """Write what is logged about builds to the output of a command, between "Applying …" and "OK".

    Nothing is written to None, and the handlers of the project's own LOGGING get all of it as well.
    """
    if stream is None:
        yield
        return
    handler = _OutputHandler(stream)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _OutputHandler(logging.Handler):
    """Writes each line below the line of `migrate` that has no end yet."""

    def __init__(self, stream: OutputWrapper) -> None:
        super().__init__(logging.INFO)
        self.stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        self.stream.write(f"\n    {record.getMessage()}", ending="")
        self.stream.flush()


@contextmanager
def in_background(connection: DatabaseWrapper) -> Iterator[None]:
    """Let CREATE MATERIALIZED VIEW return at once, unless the alias's session_settings decide about it."""
    if connection.has_session_setting("background_ddl"):
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET background_ddl = true")
    try:
        yield
    finally:
        # Another error, such as a lost connection, must not hide the first.
        with suppress(Error), connection.cursor() as cursor:
            cursor.execute("SET background_ddl = false")


def wait_until_built(connection: DatabaseWrapper, name: str, *, shown_name: str | None = None) -> None:
    """Return when a materialized view can be read, and log the progress of its build.

    What is logged has another name for it, if one is given. Raises OperationalError if its build was
    cancelled or has failed.
    """
    shown_name = shown_name or name
    seconds, started = _FIRST_POLL_SECONDS, time.monotonic()
    listed = reported = started
    try:
        while True:
            progress = _read_progress(connection, name)
            if progress is None and _is_readable(connection, name):
                return
            now = time.monotonic()
            if progress is not None:
                listed = now
            elif now - listed > MISSING_SECONDS:
                raise OperationalError(
                    f'Materialized view "{shown_name}" is neither there nor being built: its build was '
                    "cancelled or has failed. Look for the cause in the log of RisingWave's meta node, and "
                    "run the migration again."
                )
            if progress is not None and now - reported >= REPORT_SECONDS:
                reported = now
                logger.info(
                    "materialized view %s: %s after %d s. Ctrl-C leaves the build running in the background.",
                    shown_name,
                    progress,
                    now - started,
                )
            time.sleep(seconds)
            seconds = min(seconds * 2, _POLL_SECONDS)
    except KeyboardInterrupt:
        logger.warning(
            "materialized view %s: the build goes on in the background. Run the migration again to wait for "
            "it and finish. SHOW JOBS lists it, and CANCEL JOBS ends it.",
            shown_name,
        )
        raise


def _read_progress(connection: DatabaseWrapper, name: str) -> str | None:
    """Return how far the build of a view is, such as "Snapshot [12.50% (1/8)]", or None if there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM rw_catalog.rw_ddl_progress")
        columns = [column.name for column in cursor.description]
        jobs = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return next((str(job["progress"]) for job in jobs if _built_name(job) == name), None)


def _built_name(job: dict[str, Any]) -> str | None:
    match = _BUILT_NAME.match(job["ddl_statement"])
    return unquoted(match[1]) if match else None


def _is_readable(connection: DatabaseWrapper, name: str) -> bool:
    """Return whether a view can be read. A view that is being built is "not found" (RisingWave 2.8.0 °)."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(name)} LIMIT 0")  # noqa: S608 - quoted
    except ProgrammingError:
        return False
    return True

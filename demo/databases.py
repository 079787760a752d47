"""Describes databases and their errors on one line, without passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

#: What PostgreSQL says of a full disk: strerror(ENOSPC).
NO_SPACE = "No space left on device"


def describe(connection: BaseDatabaseWrapper) -> str:
    """Return the name and the address of a database: host and port, or the folder of the server's socket."""
    settings = connection.settings_dict
    host = settings["HOST"] or settings["OPTIONS"].get("host") or "localhost"
    if host.startswith("/"):
        return f'database "{settings["NAME"]}" at the socket in {host}'
    return f'database "{settings["NAME"]}" at {host}:{settings["PORT"] or 5432}'


def first_line(error: Exception) -> str:
    """Return the first line of an error message from the server or the driver; the rest are details.

    Of a full disk, return the line that says so: PostgreSQL 18.4 has it in the details of "could not access
    status of transaction 0".
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if NO_SPACE in line), lines[0] if lines else type(error).__name__)

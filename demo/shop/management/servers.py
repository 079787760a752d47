"""Where a database is and what went wrong there, in a line for people and without passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


def address(connection: BaseDatabaseWrapper) -> str:
    """Say where the database is: host, port and name, or the folder of the server's socket."""
    settings = connection.settings_dict
    host = settings["HOST"] or settings["OPTIONS"].get("host") or "localhost"
    if host.startswith("/"):
        return f'database "{settings["NAME"]}" at the socket in {host}'
    return f'database "{settings["NAME"]}" at {host}:{settings["PORT"] or 5432}'


def reason(error: Exception) -> str:
    """Take the first line of what the server, or the driver, had to say. The rest are details."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)

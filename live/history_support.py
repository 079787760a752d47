"""Whether a history of the rankings is kept."""

from __future__ import annotations

from django.db import connections, router

from live.conf import live_settings
from live.models import Record


def is_supported() -> bool:
    """Return whether the database of the history is PostgreSQL: the statements of live.history need it."""
    return connections[router.db_for_write(Record)].vendor == "postgresql"


def is_kept() -> bool:
    """Return whether the settings ask for a history, and its database can have one."""
    return live_settings.HISTORY and is_supported()

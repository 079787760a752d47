"""Log lines about requests that can't be served: without a traceback, each kind at most once a minute.

Django logs each of them, some with a traceback, and outsiders can send as many as they like. Server errors
stay as they are, because each may be a different one.
"""

from __future__ import annotations

import logging
from typing import Any

from live.logs.repeated_lines import RepeatedLines

#: The loggers that Django uses: https://docs.djangoproject.com/en/5.2/ref/logging/#loggers
SECURITY, REQUEST = "django.security.", "django.request"
#: The status of an answer without a database: the outage has its own log lines.
UNAVAILABLE = 503
#: Characters of a message that are logged. The rest is what an outsider has sent.
MAX_CHARACTERS = 300


class RequestErrorFilter(logging.Filter):
    """Replaces the log records of refused requests by bounded lines. It is a filter of a handler."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.lines = RepeatedLines(logging.getLogger(__name__), logging.WARNING)

    def filter(self, record: logging.LogRecord) -> bool:
        kind = kind_of(record)
        if kind is None:
            return True
        status = getattr(record, "status_code", None)
        self.lines.log(kind, record.getMessage()[:MAX_CHARACTERS], status_code=status)
        return False


def kind_of(record: logging.LogRecord) -> str | None:
    """Return what kind of refused request the record is about, or None if it is about something else."""
    if record.name.startswith(SECURITY):
        return record.name.removeprefix(SECURITY)
    status: Any = getattr(record, "status_code", None)
    if record.name == REQUEST and isinstance(status, int) and (status < 500 or status == UNAVAILABLE):
        return f"status {status}"
    return None

"""Log lines that outsiders can cause as often as they like: each kind at most once a minute, with a count."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from live.conf import OUTAGE_LOG_SECONDS

if TYPE_CHECKING:
    import logging

#: Kinds of lines that are remembered. With more, the oldest is forgotten.
MAX_KINDS = 1000


class RepeatedLines:
    """Logs a line, and leaves out others of the same kind for OUTAGE_LOG_SECONDS. Any thread may call it."""

    def __init__(self, logger: logging.Logger, level: int) -> None:
        self._logger, self._level = logger, level
        self._lock = threading.Lock()
        #: By kind: when its last line was logged, on the monotonic clock, and how many were left out since.
        self._kinds: dict[str, tuple[float, int]] = {}

    def log(self, kind: str, text: str, error: Exception | None = None, **facts: object) -> None:
        """Log `text`, unless a line of this kind was logged lately; say how many were left out before it.

        `kind` must not contain what an outsider chooses, such as an address or a header. The line has the
        traceback of `error`, if it is given, and `facts` as attributes of its record.
        """
        now = time.monotonic()
        with self._lock:
            logged_at, left_out = self._kinds.pop(kind, (0.0, 0))
            is_due = not logged_at or now - logged_at >= OUTAGE_LOG_SECONDS
            self._kinds[kind] = (now, 0) if is_due else (logged_at, left_out + 1)
            if len(self._kinds) > MAX_KINDS:
                del self._kinds[next(iter(self._kinds))]
        if is_due:
            more = f" ({left_out:,} more of this kind since the last line)" if left_out else ""
            self._logger.log(self._level, "%s%s", text, more, exc_info=error, extra=facts)

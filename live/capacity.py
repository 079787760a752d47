"""How many subscribers a process can serve: each needs an open file."""

from __future__ import annotations

import logging
import resource
from contextlib import suppress

from live.conf import RESERVED_FILES, live_settings

logger = logging.getLogger(__name__)


def max_subscribers() -> int:
    """Return MAX_SUBSCRIBERS, or fewer where the process may not open as many files."""
    max_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if max_files == resource.RLIM_INFINITY:
        return live_settings.MAX_SUBSCRIBERS
    return max(min(live_settings.MAX_SUBSCRIBERS, max_files - RESERVED_FILES), 0)


def raise_open_files_limit() -> None:
    """Let the process open as many files as MAX_SUBSCRIBERS needs; log a warning where it may not."""
    max_files, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if max_subscribers() < live_settings.MAX_SUBSCRIBERS and max_files != hard_limit:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    if (room := max_subscribers()) < live_settings.MAX_SUBSCRIBERS:
        logger.warning(
            "open files: at most %s, so this process takes only %s of %s subscribers; raise the hard limit"
            " (ulimit -Hn)",
            resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            room,
            live_settings.MAX_SUBSCRIBERS,
        )

"""How many connections and subscribers a process can serve: each needs an open file."""

from __future__ import annotations

import logging
import os
import resource
from contextlib import suppress
from functools import cache
from math import ceil
from pathlib import Path
from typing import NamedTuple

from live.conf import RESERVED_FILES, live_settings

logger = logging.getLogger(__name__)

#: Connections for requests, beside those of MAX_SUBSCRIBERS subscribers.
REQUEST_CONNECTIONS = 1000
#: The share of the connections that subscribers leave to requests.
REQUEST_SHARE = 0.05
#: The process itself takes fewer than three quarters of what connections leave.
RESERVE_DIVISOR = 4
#: Where Linux and macOS list the open files of a process.
FOLDERS_OF_FILES = (Path("/proc/self/fd"), Path("/dev/fd"))


class Files(NamedTuple):
    """The open files of this process."""

    #: How many are open; None if the system doesn't tell.
    used: int | None
    #: How many may be open; None if there is no limit.
    limit: int | None
    #: With fewer left, databases, the feed and the log may soon get none. Connections leave more than that.
    reserve: int


def files() -> Files:
    """Return how many files this process has open, how many it may have, and how many are reserved."""
    limit = _files_limit()
    left = 0 if limit is None else min(limit - max_connections(), RESERVED_FILES)
    return Files(_used_files(), limit, left // RESERVE_DIVISOR)


def max_connections() -> int:
    """Return how many connections may be open, WebSockets included; a few files are always left."""
    wanted = live_settings.MAX_SUBSCRIBERS + REQUEST_CONNECTIONS
    limit = _files_limit()
    return wanted if limit is None else min(wanted, max(limit - RESERVED_FILES, limit // 2))


def max_subscribers() -> int:
    """Return MAX_SUBSCRIBERS, or fewer where the process may not have as many connections."""
    return min(live_settings.MAX_SUBSCRIBERS, int(max_connections() * (1 - REQUEST_SHARE)))


def needed_files() -> int:
    """Return how many files a process must be allowed to open to take MAX_SUBSCRIBERS."""
    return ceil(live_settings.MAX_SUBSCRIBERS / (1 - REQUEST_SHARE)) + RESERVED_FILES


@cache
def raise_open_files_limit() -> None:
    """Let the process open as many files as MAX_SUBSCRIBERS needs; log a warning where it may not.

    Does nothing when it is called again: the limit is the process's.
    """
    wanted = live_settings.MAX_SUBSCRIBERS + REQUEST_CONNECTIONS
    soft_limit, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if max_connections() < wanted and soft_limit != hard_limit:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    if (room := max_subscribers()) < live_settings.MAX_SUBSCRIBERS:
        logger.warning(
            "open files: at most %s, so this process takes only %s of %s subscribers; raise the hard limit"
            " (ulimit -Hn)",
            _files_limit(),
            room,
            live_settings.MAX_SUBSCRIBERS,
        )


def _files_limit() -> int | None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if limit == resource.RLIM_INFINITY else limit


def _used_files() -> int | None:
    for folder in FOLDERS_OF_FILES:
        # Listing the folder needs a file itself.
        with suppress(OSError):
            return len(os.listdir(folder)) - 1  # noqa: PTH208 - the names, not paths
    return None

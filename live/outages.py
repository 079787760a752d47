"""What can't be reached for a while: how long to wait before the next attempt, and what to log."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from weakref import WeakSet

from django.db import Error

from live import metrics
from live.conf import FIRST_RETRY_SECONDS, MAX_LOGGED_OUTAGES, OUTAGE_LOG_SECONDS
from live.retries import retry_delays

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

_lock = threading.Lock()
# The outages of this process that are on.
_current: WeakSet[Outage] = WeakSet()


def current() -> list[Outage]:
    """Return this process's outages that are on, the oldest first. May be called from any thread."""
    with _lock:
        began = [(outage.began_at, outage) for outage in _current if outage.began_at]
    return [outage for _, outage in sorted(began, key=lambda pair: pair[0])]


class Outage:
    """The outages of one thing, each from the first failure to the first success. Any thread may report.

    `verb` completes the sentence "name: can't …". An outage has a log line when it begins, one when it ends,
    and at most one per OUTAGE_LOG_SECONDS between. Of a thing that fails again and again, only
    MAX_LOGGED_OUTAGES in that time are logged; the next line says how many were not.
    """

    def __init__(self, name: str, verb: str, longest_delay: float) -> None:
        self.name, self.verb, self.longest_delay = name, verb, longest_delay
        #: None while there is no outage.
        self.began_at: datetime | None = None
        #: Failed attempts since then.
        self.failures = 0
        self._logged_at = 0.0
        #: When the last outages began that were logged, on the monotonic clock.
        self._logged_begins: deque[float] = deque(maxlen=MAX_LOGGED_OUTAGES)
        #: Whether this one is not logged, and how many were not since the last that was.
        self._is_silent, self._left_out = False, 0
        self._logged_failures = 0
        self._delays: Iterator[float] = iter(())

    @property
    def is_on(self) -> bool:
        """Whether the last attempt failed."""
        return self.began_at is not None

    def fail(self, error: Exception) -> float:
        """Report a failed attempt; return the seconds to wait before the next."""
        reason = " ".join(str(error).split()) or type(error).__name__
        now, text = time.monotonic(), ""
        count: int | None = None
        with _lock:
            self.failures += 1
            if self.began_at is None:
                self.began_at = datetime.now(UTC)
                _current.add(self)
                self._delays = retry_delays(FIRST_RETRY_SECONDS, self.longest_delay)
                metrics.OUTAGES.labels(self.name).inc()
                self._logged_at, self._logged_failures = now, 0
                is_full = len(self._logged_begins) == MAX_LOGGED_OUTAGES
                self._is_silent = is_full and now - self._logged_begins[0] < OUTAGE_LOG_SECONDS
                if self._is_silent:
                    self._left_out += 1
                else:
                    text = f"can't {self.verb} ({reason}); retrying at least every {self.longest_delay:g} s"
                    if self._left_out:
                        text += f"; {self._left_out:,} more outages since the last line"
                    self._left_out = 0
                    self._logged_begins.append(now)
            elif now - self._logged_at >= OUTAGE_LOG_SECONDS:
                self._is_silent = False
                count = self.failures - self._logged_failures
                text = (
                    f"can't {self.verb} since {self.began_at:%H:%M:%S} UTC ({reason}); still retrying,"
                    f" {count:,} failed since the last line"
                )
            if text:
                self._logged_at, self._logged_failures = now, self.failures
            delay = next(self._delays)
        if text:
            # A lost database needs no traceback. Any other error is a mistake in some code.
            is_mistake = count is None and not isinstance(error, Error | OSError)
            logger.warning("%s: %s", self.name, text, exc_info=error if is_mistake else None)
        return delay

    def succeed(self) -> None:
        """Report a successful attempt."""
        self._end(f"can {self.verb} again after")

    def give_up(self) -> None:
        """Report that nobody needs it any more, and so nobody tries again."""
        self._end("isn't tried any more, because nobody asks for it, after")

    def _end(self, how: str) -> None:
        if self.began_at is None:
            return
        with _lock:
            began_at, failures = self.began_at, self.failures
            if began_at is None:
                return
            self.began_at, self.failures = None, 0
            _current.discard(self)
            if self._is_silent:
                return
        seconds = (datetime.now(UTC) - began_at).total_seconds()
        plural = "" if failures == 1 else "s"
        logger.info("%s: %s %.1f s and %s failed attempt%s", self.name, how, seconds, f"{failures:,}", plural)

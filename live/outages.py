"""What can't be reached for a while: how long to wait before the next attempt, and what to log."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from live.conf import FIRST_RETRY_SECONDS, OUTAGE_LOG_SECONDS
from live.retries import retry_delays

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)


class Outage:
    """The outages of one thing, each from the first failure to the first success.

    `verb` completes the sentence "name: can't …". An outage has a log line when it begins, one when it ends,
    and at most one per OUTAGE_LOG_SECONDS between.
    """

    def __init__(self, name: str, verb: str, longest_delay: float) -> None:
        self.name, self.verb, self.longest_delay = name, verb, longest_delay
        #: None while there is no outage.
        self._began_at: datetime | None = None
        self._logged_at = 0.0
        self._delays: Iterator[float] = iter(())

    @property
    def is_on(self) -> bool:
        """Whether the last attempt failed."""
        return self._began_at is not None

    def fail(self, error: Exception) -> float:
        """Report a failed attempt; return the seconds to wait before the next."""
        reason = " ".join(str(error).split()) or type(error).__name__
        if self._began_at is None:
            self._began_at = datetime.now(UTC)
            self._delays = retry_delays(FIRST_RETRY_SECONDS, self.longest_delay)
            self._log(f"can't {self.verb} ({reason}); retrying at least every {self.longest_delay:g} s")
        elif time.monotonic() - self._logged_at >= OUTAGE_LOG_SECONDS:
            self._log(f"can't {self.verb} since {self._began_at:%H:%M:%S} UTC ({reason}); still retrying")
        return next(self._delays)

    def succeed(self) -> None:
        """Report a successful attempt."""
        if self._began_at is not None:
            seconds = (datetime.now(UTC) - self._began_at).total_seconds()
            self._began_at = None
            logger.info("%s: can %s again after %.1f s", self.name, self.verb, seconds)

    def _log(self, text: str) -> None:
        self._logged_at = time.monotonic()
        logger.warning("%s: %s", self.name, text)

"""What a hub tells: subscribers by pings, and operators by its health."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict

from live.conf import live_settings

if TYPE_CHECKING:
    from live.faults import Fault
    from live.feed_keeper import FeedState


class NoDataError(Exception):
    """No ranking that was asked for has been read yet, and the database can't be read now."""


class TooManySubscribersError(Exception):
    """The process has as many subscribers as it may have."""


class ShuttingDownError(Exception):
    """The process is shutting down."""


def is_stale(checked_at: datetime, interval: float = 0) -> bool:
    """Return whether rows that were last read at `checked_at`, and are each `interval`, are stale."""
    return age_seconds(checked_at) > live_settings.STALE_SECONDS + interval


def age_seconds(moment: datetime) -> float:
    """Return how long ago a moment was."""
    return (datetime.now(UTC) - moment).total_seconds()


@dataclass(frozen=True, eq=False)
class Ping:
    """The time, when each ranking was last read, and what is wrong with those that can't be.

    Sent every PING_SECONDS, and at once when a fault begins or ends.
    """

    now: datetime
    checked_at: dict[str, datetime]
    faults: dict[str, Fault]
    #: The seconds between two reads of those that are read more rarely than requests come.
    intervals: dict[str, float] = field(default_factory=dict)
    rendered: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False)


class Health(TypedDict):
    """How a hub is, for operators."""

    #: "idle" while nobody uses the hub, "running", "hung", or "dead".
    feed: FeedState
    #: Since when it has been idle or running.
    feed_since: datetime
    #: Whether the process is shutting down.
    is_ending: bool
    #: Seconds since the clock's last tick, of which there is one a second; None while the feed is idle.
    tick_age_seconds: float | None
    #: By Ranking.id.
    checked_at: dict[str, datetime]
    faults: dict[str, Fault]
    #: As in a ping.
    intervals: dict[str, float]
    #: Numbers of subscribers: "html" and "json".
    subscribers: dict[str, int]
    #: See Counts.
    frames: int
    bytes: int
    coalesced: int

"""What a hub tells: subscribers by pings, and operators by its health."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from datetime import datetime

    from live.faults import Fault
    from live.feed_keeper import FeedState


@dataclass(frozen=True, eq=False)
class Ping:
    """The time, when each ranking was last read, and what is wrong with those that can't be.

    Sent every PING_SECONDS, and at once when a fault begins or ends.
    """

    now: datetime
    checked_at: dict[str, datetime]
    faults: dict[str, Fault]
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
    #: Numbers of subscribers: "html" and "json".
    subscribers: dict[str, int]
    #: See Counts.
    frames: int
    bytes: int
    coalesced: int

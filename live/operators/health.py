"""How this process is, by part, for load balancers and operators. Asks no database and starts nothing.

A part is `failed` only for what another process wouldn't share, so that a balancer sends requests there
instead. A lost database is `degraded`: it is lost to all processes, and without any, viewers would lose even
the last rows.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from live import capacity, outages
from live.conf import CLOCK_LATE_SECONDS, live_settings
from live.hub import get_hub
from live.hub_state import is_stale

if TYPE_CHECKING:
    from live.hub_state import Health

#: The outage of all rankings, and that of the users' database.
RANKINGS, USERS = "rankings", "users"


class Status(StrEnum):
    """How a part is, and the process as a whole; the worst last."""

    IDLE = "idle"
    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"


@dataclass(frozen=True)
class Part:
    """How one part of the process is, and why."""

    status: Status
    reason: str = ""


def report() -> dict[str, Any]:
    """Return the status of the process, and of each part with its reason; JSON can hold it."""
    parts = find_parts()
    worst = max((part.status for part in parts.values()), key=list(Status).index)
    return {
        "status": worst,
        "parts": {
            name: {key: value for key, value in asdict(part).items() if value} for name, part in parts.items()
        },
    }


def find_parts() -> dict[str, Part]:
    """Return how each part of the process is, by name."""
    # One per event loop; a process has one that serves.
    hubs = [hub.health() for _, hub in get_hub.items()]
    health = max(hubs, key=lambda health: health["feed"] != "idle", default=None)
    lost = {outage.name: outage for outage in outages.current()}
    return {
        "lifecycle": _lifecycle(health, is_lost=RANKINGS in lost),
        "feed": _feed(health),
        "clock": _clock(health),
        "files": _files(),
        RANKINGS: _rankings(health, lost.get(RANKINGS)),
        USERS: _lost(lost[USERS]) if USERS in lost else Part(Status.OK),
    }


def _lifecycle(health: Health | None, *, is_lost: bool) -> Part:
    if health is None:
        return Part(Status.OK)
    if health["is_ending"]:
        return Part(Status.FAILED, "the process is ending")
    is_known = health["checked_at"] or health["faults"] or is_lost
    # If the first read takes longer, requests don't wait for it either.
    if (
        health["feed"] == "running"
        and not is_known
        and _age_seconds(health["feed_since"]) < live_settings.REQUEST_WAIT_SECONDS
    ):
        return Part(Status.FAILED, "the process is starting: no ranking has been read yet")
    return Part(Status.OK)


def _feed(health: Health | None) -> Part:
    state = health["feed"] if health is not None else "idle"
    if state == "idle":
        return Part(Status.IDLE, "nobody is watching")
    if state == "running":
        return Part(Status.OK)
    return Part(Status.FAILED, f"the feed is {state}")


def _clock(health: Health | None) -> Part:
    age = health["tick_age_seconds"] if health is not None else None
    if age is None:
        return Part(Status.IDLE)
    if age > CLOCK_LATE_SECONDS:
        return Part(Status.FAILED, f"no tick for {age:.0f} s")
    return Part(Status.OK)


def _files() -> Part:
    used, limit, reserve = capacity.files()
    try:
        with Path(os.devnull).open():
            pass
    except OSError as error:
        return Part(Status.FAILED, f"no file can be opened: {error.strerror}")
    if used is not None and limit is not None and used > limit - reserve:
        return Part(Status.FAILED, f"{used} of {limit} file descriptors are in use, all but the reserve")
    return Part(Status.OK)


def _rankings(health: Health | None, outage: outages.Outage | None) -> Part:
    if health is None or health["feed"] == "idle":
        # An outage that was on when the feed stopped may be over: nobody tries any more.
        return Part(Status.IDLE)
    if outage is not None:
        return _lost(outage)
    wrong = {slug: fault.reason for slug, fault in health["faults"].items()}
    wrong |= {
        slug: f"last read at {checked_at:%H:%M:%S} UTC"
        for slug, checked_at in health["checked_at"].items()
        if slug not in wrong and is_stale(checked_at, health["intervals"].get(slug, 0))
    }
    if wrong:
        return Part(Status.DEGRADED, "; ".join(f"{slug}: {reason}" for slug, reason in sorted(wrong.items())))
    return Part(Status.OK)


def _lost(outage: outages.Outage) -> Part:
    since = f" since {outage.began_at:%H:%M:%S} UTC" if outage.began_at else ""
    return Part(Status.DEGRADED, f"the database is lost{since}")


def _age_seconds(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()

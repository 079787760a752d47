"""How a page keeps its rankings up to date: the context of the template live/updates.html."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from live.conf import (
    MAX_RECONNECT_SECONDS,
    RECONNECT_JITTER,
    RECONNECT_SECONDS,
    SILENT_PINGS,
    live_settings,
)
from live.hub import get_hub
from live.hub_state import Ping
from live.protocol import CloseCode
from live.rendering import ping_header

if TYPE_CHECKING:
    from live.parameters import Selection
    from live.rankings import Ranking
    from live.snapshots import Snapshot

_NEVER = datetime.min.replace(tzinfo=UTC)
#: Options of htmx's WebSocket extension. https://htmx.org/extensions/ws
_RECONNECTION = {
    "reconnectCodes": [code for code in CloseCode if code.may_reconnect],
    "reconnectDelay": int(RECONNECT_SECONDS * 1000),
    "reconnectMaxDelay": int(MAX_RECONNECT_SECONDS * 1000),
    "reconnectJitter": RECONNECT_JITTER,
}


def last_ping() -> Ping | None:
    """Return the state of all rankings in this process, or None. May be called from any thread."""
    pings = [hub.ping() for _, hub in get_hub.items()]
    return max(pings, key=lambda ping: max(ping.checked_at.values(), default=_NEVER), default=None)


def last_snapshot(ranking: Ranking) -> tuple[Snapshot, datetime] | None:
    """Return this process's newest snapshot and when it was read, or None. May be called from any thread."""
    id_ = ranking.id
    known = [(hub.checked_at[id_], hub.snapshots[id_]) for _, hub in get_hub.items() if id_ in hub.snapshots]
    if not known:
        return None
    checked_at, snapshot = max(known, key=lambda pair: pair[0])
    return snapshot, checked_at


def updates(
    selection: Selection,
    *,
    ptag: str = "",
    ping: Ping | None = None,
    login_url: str | None = None,
    refresh: int | None = None,
) -> dict[str, Any]:
    """Return the context for a page that shows this selection in the state of `ping`.

    `ptag` is their combined etag; without it the page polls at once. `login_url` is offered to a viewer who
    has been logged out. With `refresh`, the page has no socket and polls that often, in seconds. Raises
    NoReverseMatch if the project doesn't include live.urls.
    """
    query = f"?{selection.query}"
    poll_seconds = refresh or live_settings.POLL_SECONDS
    silent_seconds = SILENT_PINGS * max(live_settings.PING_SECONDS, poll_seconds)
    # A request may wait for the database of users, and then for a read.
    answer_seconds = max(SILENT_PINGS * live_settings.POLL_SECONDS, 2 * live_settings.REQUEST_WAIT_SECONDS)
    return {
        "cards_url": reverse("live:cards") + query,
        "sparklines_url": reverse("live:sparklines") + query,
        "socket_url": "" if refresh else "/ws/rankings/" + query,
        "swap": ",".join(f"#ranking-{ranking.id}:outerMorph" for ranking in selection.rankings),
        "ptag": ptag,
        "ping": ping_header(ping or Ping(datetime.now(UTC), {}, {})),
        # Strings, since templates localize numbers.
        "poll_milliseconds": f"{poll_seconds * 1000:.0f}",
        "poll_seconds": f"{poll_seconds:g}",
        # Between two polls, the page doesn't hear that the rows are still current.
        "stale_seconds": str(live_settings.STALE_SECONDS + (refresh or 0)),
        "silent_seconds": str(silent_seconds),
        "answer_seconds": str(answer_seconds),
        "login_code": str(int(CloseCode.LOGIN_REQUIRED)),
        "login_url": login_url,
        "socket_config": json.dumps({"ws": _RECONNECTION}),
    }

"""How a page keeps its rankings up to date: the context of the template live/updates.html."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from live.conf import MAX_RECONNECT_SECONDS, RECONNECT_JITTER, RECONNECT_SECONDS, live_settings
from live.protocol import CloseCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from live.rankings import Ranking

#: Options of htmx's WebSocket extension. https://htmx.org/extensions/ws
_RECONNECTION = {
    "reconnectCodes": [code for code in CloseCode if code.may_reconnect],
    "reconnectDelay": int(RECONNECT_SECONDS * 1000),
    "reconnectMaxDelay": int(MAX_RECONNECT_SECONDS * 1000),
    "reconnectJitter": RECONNECT_JITTER,
}


def updates(
    rankings: Sequence[Ranking], *, ptag: str = "", checked_at: datetime | None = None
) -> dict[str, Any]:
    """Return the context for a page that shows these rankings as they were read at `checked_at`.

    `ptag` is their combined etag; without it the page polls at once. Raises NoReverseMatch if the project
    doesn't include live.urls.
    """
    query = f"?rankings={','.join(ranking.slug for ranking in rankings)}"
    now = datetime.now(UTC)
    return {
        "cards_url": reverse("live:cards") + query,
        "socket_url": "/ws/rankings/" + query,
        "swap": ",".join(f"#ranking-{ranking.slug}:outerMorph" for ranking in rankings),
        "ptag": ptag,
        "now": now,
        "checked_at": checked_at or now,
        # Strings, since templates localize numbers.
        "poll_milliseconds": f"{live_settings.POLL_SECONDS * 1000:.0f}",
        "stale_seconds": str(live_settings.STALE_SECONDS),
        "login_code": str(int(CloseCode.LOGIN_REQUIRED)),
        "socket_config": json.dumps({"ws": _RECONNECTION}),
    }

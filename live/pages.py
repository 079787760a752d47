"""What a page needs in order to keep its rankings up to date: the context of live/updates.html."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from live import hub

if TYPE_CHECKING:
    from collections.abc import Sequence

    from live.rankings import Ranking


def updates(
    rankings: Sequence[Ranking], *, ptag: str = "", checked_at: datetime | None = None
) -> dict[str, Any]:
    """The context, for a page that has these rankings as of `checked_at`, and of the tag `ptag`.

    Without a tag the page polls at once. Raises NoReverseMatch where live.urls isn't included.
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
        "poll_interval": hub.POLL_INTERVAL,
        "stale_after": hub.STALE_AFTER,
    }

"""The application that benchmarks.polling asks: the project's own, with a clock around what a page polls."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from live.asgi import application

# isort: split
from django.conf import settings
from django.db import connections
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.urls import include, path

from live import access, views
from live.rankings import RANKINGS
from live.snapshots import Snapshot

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

__all__ = ["application"]

settings.ROOT_URLCONF = __name__
# The alternative at its best: by Django's default it would connect anew for each poll.
connections["risingwave"].settings_dict["CONN_MAX_AGE"] = None


def clocked(response: HttpResponseBase, began: float) -> HttpResponseBase:
    """The response, which says how long it took."""
    response.headers["View-Microseconds"] = f"{(time.perf_counter() - began) * 1e6:.1f}"
    return response


async def from_memory(request: HttpRequest) -> HttpResponseBase:
    began = time.perf_counter()
    return clocked(await views.cards(request), began)


def afresh(request: HttpRequest) -> HttpResponseBase:
    """The same cards without the hub."""
    began = time.perf_counter()
    if not (access.is_open() or request.user.is_authenticated):
        return clocked(HttpResponse(status=401), began)
    now = datetime.now(UTC)
    snapshots = [
        Snapshot(ranking, tuple(ranking.queryset()), changed_at=now, source="")
        for ranking in RANKINGS.values()
    ]
    cards = (render_to_string("live/card.html", {"snapshot": snapshot}) for snapshot in snapshots)
    return clocked(HttpResponse("".join(cards)), began)


urlpatterns = [
    path("partials/rankings/", from_memory),
    path("afresh/", afresh),
    path("", include("config.urls")),
]

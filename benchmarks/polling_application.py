"""The ASGI application of benchmarks.polling: the site, with a clock around the view that pages poll."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from live.asgi import application

# isort: split
from django.conf import settings
from django.db import connections
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.urls import include, path

from live import views
from live.feeding.sources import Source, find_sources
from live.rankings import RANKINGS
from live.snapshots import Snapshot
from live.users import access

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

__all__ = ["application"]

settings.ROOT_URLCONF = __name__
# The alternative at its best: by default, Django would open a connection for each poll.
connections["risingwave"].settings_dict["CONN_MAX_AGE"] = None


@cache
def sources() -> list[Source]:
    """Return what each ranking is read from."""
    return list(find_sources("risingwave", RANKINGS.values()).values())


def add_time(response: HttpResponseBase, began: float) -> HttpResponseBase:
    """Tell the client how long the view took, in a header."""
    response.headers["View-Microseconds"] = f"{(time.perf_counter() - began) * 1e6:.1f}"
    return response


async def from_memory(request: HttpRequest) -> HttpResponseBase:
    """Answer as the site does, from the hub."""
    began = time.perf_counter()
    return add_time(await views.cards(request), began)


def from_database(request: HttpRequest) -> HttpResponseBase:
    """Answer with the same cards, read and rendered for this request."""
    began = time.perf_counter()
    if not (access.is_open() or request.user.is_authenticated):
        return add_time(HttpResponse(status=401), began)
    now = datetime.now(UTC)
    snapshots = [Snapshot(source.ranking, source.rows(), changed_at=now, source="") for source in sources()]
    cards = (render_to_string("live/card.html", {"snapshot": snapshot}) for snapshot in snapshots)
    return add_time(HttpResponse("".join(cards)), began)


urlpatterns = [
    path("partials/rankings/", from_memory),
    path("from-database/", from_database),
    path("", include("config.urls")),
]

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import path

from live.consumers import RankingsConsumer

if TYPE_CHECKING:
    from channels.routing import URLRouter, _ExtendedURLPattern

# Channels routes what Django's stubs don't let into a path.
websocket_urlpatterns: list[_ExtendedURLPattern | URLRouter] = [
    path("ws/rankings/", RankingsConsumer.as_asgi()),  # type: ignore[arg-type, list-item]
]

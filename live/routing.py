from django.urls import path

from live.consumers import RankingsConsumer

websocket_urlpatterns = [
    path("ws/rankings/", RankingsConsumer.as_asgi()),  # type: ignore[arg-type]  # Channels routes what Django's stubs do not
]

"""Channels groups on Daphne with the in-memory layer, as in the Channels tutorial.

The consumer is that of https://channels.readthedocs.io/en/stable/tutorial/part_3.html: it joins a group and
sends what the group receives. The layer belongs to one event loop, so the feed publishes in that loop.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from django.conf import settings

settings.configure(
    SECRET_KEY="only-for-the-benchmark",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "channels",
    ],
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
)

from django.core.asgi import get_asgi_application  # noqa: E402

http = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.urls import path  # noqa: E402

from benchmarks.peers import feed  # noqa: E402
from benchmarks.peers.page import page  # noqa: E402


class Rankings(AsyncWebsocketConsumer):
    """A viewer."""

    loop: asyncio.AbstractEventLoop | None = None

    async def connect(self) -> None:
        if Rankings.loop is None:
            Rankings.loop = asyncio.get_running_loop()
            feed.start(partial(publish, Rankings.loop))
        await self.channel_layer.group_add("rankings", self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard("rankings", self.channel_name)

    async def rankings_changed(self, event: dict[str, Any]) -> None:
        """Send a ranking that has changed."""
        await self.send(text_data=event["text"])


def publish(loop: asyncio.AbstractEventLoop, text: str) -> None:
    """Send the text to the group, from any thread."""
    layer = get_channel_layer()
    assert layer is not None
    message = {"type": "rankings.changed", "text": text}
    asyncio.run_coroutine_threadsafe(layer.group_send("rankings", message), loop)


urlpatterns = [path("", page("new WebSocket(`ws://${location.host}/ws/`).onmessage = show;"))]
# Channels routes consumers, which Django's type stubs don't accept in path().
websocket_urlpatterns: list[Any] = [path("ws/", Rankings.as_asgi())]  # type: ignore[arg-type]
application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)

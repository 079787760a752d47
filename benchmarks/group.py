"""The same cards through a Channels group, for comparison: an ASGI application.

As Channels' documentation has it: a consumer that joins a group, and the in-memory layer, which is what one
process needs. The hub's news are sent to the group by one subscriber.
https://channels.readthedocs.io/en/stable/topics/channel_layers.html
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter
from channels.sessions import SessionMiddlewareStack
from django.conf import settings
from django.core.asgi import get_asgi_application

http = get_asgi_application()
settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

from live import frames  # noqa: E402
from live.hub import get_hub  # noqa: E402
from live.rankings import RANKINGS  # noqa: E402
from live.snapshots import Snapshot  # noqa: E402

if TYPE_CHECKING:
    from live.hub import Ping

STATES = RANKINGS["states-by-turnover"]


class Sender:
    """The hub's only subscriber: hands on to the group."""

    tasks: set[asyncio.Task[None]]

    def __init__(self) -> None:
        self.tasks = set()

    def deliver(self, message: Snapshot | Ping) -> None:
        if isinstance(message, Snapshot):
            event = {"type": "news", "text": frames.html(message)}
            layer = get_channel_layer()
            assert layer is not None
            task = asyncio.create_task(layer.group_send("states", event))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def on_shutdown(self) -> None:
        """Send nobody away."""


sender: Sender | None = None


class Consumer(AsyncWebsocketConsumer):
    """A member of the group."""

    groups = ["states"]  # noqa: RUF012 - as Channels has it

    async def connect(self) -> None:
        global sender  # noqa: PLW0603
        if sender is None:
            sender = Sender()
            get_hub().subscribe(sender, [STATES])
        await self.accept()
        [snapshot] = await get_hub().current([STATES])
        await self.send(frames.html(snapshot))

    async def news(self, event: dict[str, Any]) -> None:
        await self.send(event["text"])


application = ProtocolTypeRouter({"http": http, "websocket": SessionMiddlewareStack(Consumer.as_asgi())})

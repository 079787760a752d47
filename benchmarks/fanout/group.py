"""The same cards sent through a Channels group: an ASGI application to compare the dashboard with.

The consumer joins a group and the layer is the in-memory one, which suffices for one process, as in
https://channels.readthedocs.io/en/stable/topics/channel_layers.html. One subscriber of the hub sends each
change to the group.
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

from live import rendering  # noqa: E402
from live.hub import get_hub  # noqa: E402
from live.rankings import RANKINGS  # noqa: E402
from live.snapshots import Snapshot  # noqa: E402

if TYPE_CHECKING:
    from live.subscribers import Message

STATES = RANKINGS["states-by-turnover"]


class GroupSender:
    """The hub's only subscriber. Sends each snapshot to the group."""

    tasks: set[asyncio.Task[None]]

    def __init__(self) -> None:
        self.tasks = set()

    def deliver(self, message: Message) -> None:
        if isinstance(message, Snapshot):
            event = {"type": "snapshot", "text": rendering.card_message(message)}
            layer = get_channel_layer()
            assert layer is not None
            task = asyncio.create_task(layer.group_send("states", event))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def on_shutdown(self) -> None:
        """Do nothing: the members of the group aren't told of a shutdown."""

    def on_deleted(self, slug: str) -> None:
        """Do nothing: no ranking is deleted."""


sender: GroupSender | None = None


class Consumer(AsyncWebsocketConsumer):
    """A member of the group."""

    groups = ["states"]  # noqa: RUF012 - as Channels documents it

    async def connect(self) -> None:
        global sender  # noqa: PLW0603
        if sender is None:
            sender = GroupSender()
            get_hub().subscribe(sender, [STATES])
        await self.accept()
        [snapshot] = await get_hub().current([STATES])
        await self.send(rendering.card_message(snapshot))

    async def snapshot(self, event: dict[str, Any]) -> None:
        """Send what the group was sent."""
        await self.send(event["text"])


application = ProtocolTypeRouter({"http": http, "websocket": SessionMiddlewareStack(Consumer.as_asgi())})

"""The WebSocket: in comes nothing, out go rankings. docs/protocol.md describes it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from channels.generic.websocket import AsyncWebsocketConsumer
from django.http import QueryDict

from live import access, frames, parameters
from live.hub import NoDataError, Ping, TooManySubscribersError, get_hub
from live.rankings import UnknownRankingError

if TYPE_CHECKING:
    from live.rankings import Ranking
    from live.snapshots import Snapshot

#: Close codes, our own: through ASGI Daphne sends only 1000 and 3000–4999.
BAD_REQUEST, LOGIN, FORBIDDEN, UNKNOWN, FLOOD, BUSY = 4400, 4401, 4403, 4404, 4429, 4503
#: Messages that a client may send before it is taken for a flood; none means anything yet.
MESSAGES = 20


class RefusalError(Exception):
    """The socket is to be closed, with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class RankingsConsumer(AsyncWebsocketConsumer):
    """A subscriber. While its transport takes nothing, only the newest message of each kind is kept."""

    async def connect(self) -> None:
        """Accept, then say why if it can't be: a refused handshake looks like a network fault to browsers."""
        self.json = False
        self.received = 0
        self._pending: dict[str, Snapshot | Ping] = {}
        self._sent: dict[str, str] = {}
        self._sender: asyncio.Task[None] | None = None
        await self.accept()
        try:
            await self._subscribe(await self._admit())
        except RefusalError as refusal:
            await self._refuse(refusal.code, refusal.reason)

    async def _admit(self) -> list[Ranking]:
        """What the client asks for. Raises RefusalError."""
        query = QueryDict(self.scope["query_string"])
        try:
            parameters.check_known(query, ("format", "rankings"))
            self.json = parameters.one_of(query, "format", ("html", "json")) == "json"
            rankings = parameters.rankings(query)
        except parameters.ParameterError as error:
            raise RefusalError(BAD_REQUEST, str(error)) from None
        except UnknownRankingError as error:
            raise RefusalError(UNKNOWN, str(error)) from None
        if not access.same_origin(self.scope, missing=self.json and access.is_open()):
            raise RefusalError(FORBIDDEN, "this page's origin may not subscribe; only pages of this site may")
        if not await access.may_subscribe(self.scope):
            raise RefusalError(LOGIN, "log in first")
        return rankings

    async def _subscribe(self, rankings: list[Ranking]) -> None:
        """Subscribe first and read then, so that no change falls between."""
        hub = get_hub()
        await self.send(frames.hello(rankings))
        try:
            hub.subscribe(self, rankings)
            for snapshot in await hub.current(rankings):
                self.deliver(snapshot)
        except TooManySubscribersError:
            raise RefusalError(BUSY, "too many subscribers here; come back later") from None
        except NoDataError:
            pass  # The snapshots come when the server is back.
        self.deliver(hub.ping())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Nothing is expected from a client."""
        self.received += 1
        if self.received > MESSAGES:
            await self._refuse(FLOOD, "too many messages")
        else:
            await self.send(frames.error(BAD_REQUEST, "this socket takes no messages"))

    async def disconnect(self, code: int) -> None:
        get_hub().unsubscribe(self)
        if self._sender is not None:
            self._sender.cancel()

    def deliver(self, message: Snapshot | Ping) -> None:
        """Send it soon; what a newer one overtakes before is never sent."""
        self._pending["" if isinstance(message, Ping) else message.ranking.slug] = message
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_pending())

    async def _send_pending(self) -> None:
        while self._pending:
            slug = next(iter(self._pending))
            message = self._pending.pop(slug)
            if isinstance(message, Ping):
                await self.send(frames.ping(message))
            elif self._sent.get(slug) != message.etag:
                await self.send(self._frame(message, is_first=slug not in self._sent))
                self._sent[slug] = message.etag

    def _frame(self, snapshot: Snapshot, *, is_first: bool) -> str:
        if not self.json:
            return frames.html(snapshot)
        return frames.first(snapshot) if is_first else frames.update(snapshot)

    async def _refuse(self, code: int, reason: str) -> None:
        get_hub().unsubscribe(self)
        await self.send(frames.error(code, reason))
        await self.close(code, reason)

"""The WebSocket: in comes nothing, out go rankings. docs/protocol.md describes it."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error
from django.http import QueryDict

from live import access, frames, parameters, transport
from live.conf import live_settings
from live.hub import EndingError, NoDataError, Ping, TooManySubscribersError, get_hub
from live.logins import digest, get_logins
from live.protocol import MAX_CLIENT_MESSAGES, CloseCode, Format
from live.rankings import RANKINGS, UnknownRankingError

if TYPE_CHECKING:
    from live.rankings import Ranking
    from live.snapshots import Snapshot


class RefusalError(Exception):
    """The socket is to be closed, with a code and a reason."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class RankingsConsumer(AsyncWebsocketConsumer):
    """A subscriber. While its transport takes nothing, only the newest message of each kind is kept."""

    async def connect(self) -> None:
        """Accept, then say why if it can't be: a refused handshake looks like a network fault to browsers."""
        self.json = False
        self.received = 0
        #: What the transport didn't take, by ranking and kind.
        self._pending: dict[str, Snapshot | Ping | str] = {}
        self._stalled: asyncio.TimerHandle | None = None
        #: The etag that the client has, by ranking; and those it had when it came.
        self._has: dict[str, str] = {}
        self._had: frozenset[str] = frozenset()
        self._session_key: str | None = None
        self._recheck: asyncio.TimerHandle | None = None
        self._checking: asyncio.Task[None] | None = None
        self.transport = transport.in_scope(self.scope) or transport.of(self.base_send)
        await self.accept()
        self.transport.start(self._send_pending)
        try:
            await self._subscribe(await self._admit())
        except RefusalError as refusal:
            self.leave(refusal.code, refusal.reason)

    async def _admit(self) -> list[Ranking]:
        """What the client asks for. Raises RefusalError."""
        query = QueryDict(self.scope["query_string"])
        try:
            parameters.check_known(query, ("format", "rankings", "seen"))
            self.json = parameters.one_of(query, "format", tuple(Format)) == Format.JSON
            rankings = parameters.rankings(query)
            self._had = parameters.etags(query, "seen", len(RANKINGS))
        except parameters.ParameterError as error:
            raise RefusalError(CloseCode.BAD_REQUEST, str(error)) from None
        except UnknownRankingError as error:
            raise RefusalError(CloseCode.UNKNOWN_RANKING, str(error)) from None
        if not access.same_origin(self.scope, missing=self.json and access.is_open()):
            raise RefusalError(
                CloseCode.FORBIDDEN, "this page's origin may not subscribe; only pages of this site may"
            )
        await self._check_login()
        return rankings

    async def _check_login(self) -> None:
        """Make sure that the client may look, now and later. Raises RefusalError."""
        if access.is_open():
            return
        self._session_key = access.session_key(self.scope)
        if self._session_key is None or not await access.may_subscribe(self._session_key):
            raise RefusalError(CloseCode.LOGIN_REQUIRED, "log in first")
        get_logins().hold(digest(self._session_key), self)
        self._check_after(live_settings.LOGIN_CHECK_SECONDS)

    def _check_after(self, seconds: float) -> None:
        if self._recheck is not None:
            self._recheck.cancel()
        seconds *= random.uniform(1, 1.5)  # noqa: S311
        self._recheck = asyncio.get_running_loop().call_later(seconds, self._check_again)

    def _check_again(self) -> None:
        async def check() -> None:
            try:
                await self._check_login()
            except RefusalError as refusal:
                self.leave(refusal.code, refusal.reason)
            except Error:
                # While nobody can be asked, who is here stays.
                self._check_after(live_settings.STALLED_SECONDS)

        self._checking = asyncio.create_task(check())

    async def _subscribe(self, rankings: list[Ranking]) -> None:
        """Subscribe first and read then, so that no change falls between."""
        hub = get_hub()
        self._put("hello", frames.hello(rankings))
        try:
            hub.subscribe(self, rankings)
            for snapshot in await hub.current(rankings):
                self.deliver(snapshot)
        except EndingError:
            raise RefusalError(self.transport.RESTART, "the server restarts; come back") from None
        except TooManySubscribersError:
            raise RefusalError(
                CloseCode.TOO_MANY_SUBSCRIBERS, "too many subscribers here; come back later"
            ) from None
        except NoDataError:
            pass  # The snapshots come when the server is back.
        self.deliver(hub.ping())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Nothing is expected from a client."""
        self.received += 1
        if self.received == MAX_CLIENT_MESSAGES + 1:
            self.leave(CloseCode.TOO_MANY_MESSAGES, "too many messages")
        elif self.received <= MAX_CLIENT_MESSAGES:
            self._put("error", frames.error(CloseCode.BAD_REQUEST, "this socket takes no messages"))

    async def disconnect(self, code: int) -> None:
        self._forget()

    def deliver(self, message: Snapshot | Ping) -> None:
        """Send it now, or when the transport takes it; what a newer one overtakes before is never sent."""
        self._put("ping" if isinstance(message, Ping) else message.ranking.slug, message)

    def log_out(self) -> None:
        self.leave(CloseCode.LOGIN_REQUIRED, "logged out")

    def doubt(self) -> None:
        self._check_after(live_settings.LOGIN_CACHE_SECONDS)

    def end(self) -> None:
        self.leave(self.transport.RESTART, "the server restarts; come back")

    def leave(self, code: CloseCode, reason: str) -> None:
        """Tell the client why, and close."""
        self._forget()
        self.transport.close(frames.error(code, reason), code, reason)

    def _forget(self) -> None:
        get_hub().unsubscribe(self)
        self._pending.clear()
        if self._session_key is not None:
            get_logins().release(digest(self._session_key), self)
        for waiting in (self._stalled, self._recheck, self._checking):
            # Not the look that has just found out that this socket must go.
            if waiting is not None and waiting is not asyncio.current_task():
                waiting.cancel()

    def _put(self, key: str, message: Snapshot | Ping | str) -> None:
        if self._pending or not self._write(message):
            self._pending[key] = message
            if self._stalled is None:
                self._stalled = asyncio.get_running_loop().call_later(
                    live_settings.STALLED_SECONDS, self.transport.abort
                )

    def _send_pending(self) -> None:
        while self._pending:
            key = next(iter(self._pending))
            if not self._write(self._pending[key]):
                return
            del self._pending[key]
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _write(self, message: Snapshot | Ping | str) -> bool:
        """Hand it to the transport; False if that takes nothing now."""
        if isinstance(message, str):
            return self.transport.write(message)
        if isinstance(message, Ping):
            return self.transport.write(frames.ping(message))
        slug = message.ranking.slug
        is_first = slug not in self._has
        if self._has.get(slug) != message.etag and not (is_first and message.etag in self._had):
            if not self.json:
                text = frames.html(message)
            else:
                text = frames.first(message) if is_first else frames.update(message)
            if not self.transport.write(text):
                return False
        self._has[slug] = message.etag
        return True

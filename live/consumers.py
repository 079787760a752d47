"""The WebSocket that sends rankings to pages and programs. docs/protocol.md describes it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.core.exceptions import TooManyFieldsSent
from django.http import QueryDict

from live import metrics, origins, parameters, rendering
from live.conf import live_settings
from live.declared.registry import ready
from live.errors import ParameterError
from live.formats import quoted
from live.hub import get_hub
from live.hub_state import NoDataError, Ping, ShuttingDownError, TooManySubscribersError
from live.protocol import MAX_CLIENT_MESSAGES, CloseCode, Format
from live.rankings import RANKINGS, UnknownRankingError
from live.servers.base import transport_of
from live.snapshots import Snapshot
from live.users import access
from live.users.database import UsersUnavailableError
from live.users.logins import get_logins
from live.users.session_cookies import session_key

if TYPE_CHECKING:
    from live.parameters import Selection
    from live.snapshots import Totals
    from live.subscribers import Message


#: Sent with the close code of a restart.
RESTART_REASON = "The server is restarting. Reconnect."
#: Sent with the close code of a lost database of users.
USERS_LOST_REASON = "Users can't be looked up right now. Reconnect later."


class RefusalError(Exception):
    """The socket must be closed, with this code and reason."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class RankingsConsumer(AsyncWebsocketConsumer):
    """A subscriber of the hub.

    While its transport refuses messages, it keeps only the newest ping and each ranking's newest snapshot.
    """

    async def connect(self) -> None:
        """Accept, then refuse with a reason: to a browser, a refused handshake looks like a network fault."""
        self.json = False
        self.received = 0
        #: Messages that the transport refused, by the ranking's id or the message's type.
        self._pending: dict[str, Snapshot | Ping | str] = {}
        self._stalled: asyncio.TimerHandle | None = None
        #: The etag and the totals of the last snapshot that the client got, by the ranking's id.
        self._sent: dict[str, tuple[str, Totals | None]] = {}
        #: The etags of the snapshots that the client had before it connected.
        self._seen_etags: frozenset[str] = frozenset()
        self._session_key: str | None = None
        self._counts = get_hub().counts
        self.transport = transport_of(self.scope)
        await self.accept()
        self.transport.start(self._send_pending, self._on_flood)
        await ready()
        try:
            self.selection = await self._admit()
            await self._subscribe(self.selection)
        except RefusalError as refusal:
            self.leave(refusal.code, refusal.reason)

    async def _admit(self) -> Selection:
        """Return what the client asks for. Raises RefusalError."""
        try:
            query = QueryDict(self.scope["query_string"])
            parameters.check_known(query, ("format", *parameters.SELECTION, "seen"))
            self.json = parameters.one_of(query, "format", tuple(Format)) == Format.JSON
            selection = parameters.selection(query)
            self._seen_etags = parameters.etags(query, "seen", len(RANKINGS))
        except ParameterError as error:
            raise RefusalError(CloseCode.BAD_REQUEST, str(error)) from None
        except TooManyFieldsSent:
            raise RefusalError(CloseCode.BAD_REQUEST, "Too many parameters.") from None
        except UnknownRankingError as error:
            raise RefusalError(CloseCode.UNKNOWN_RANKING, str(error)) from None
        if not origins.same_origin(self.scope, missing=self.json and access.is_open()):
            raise RefusalError(
                CloseCode.FORBIDDEN, "This origin may not subscribe. Only this site's pages may."
            )
        await self._check_login()
        return selection

    async def _check_login(self) -> None:
        """Make sure that the client may subscribe, now and later. Raises RefusalError."""
        if access.is_open():
            return
        key = session_key(self.scope["cookies"])
        try:
            may_subscribe = await access.may_subscribe(key)
        except UsersUnavailableError:
            raise RefusalError(CloseCode.USERS_UNAVAILABLE, USERS_LOST_REASON) from None
        if key is None or not may_subscribe:
            raise RefusalError(CloseCode.LOGIN_REQUIRED, "Log in first.")
        self._session_key = key
        get_logins().add_socket(key, self)

    async def _subscribe(self, selection: Selection) -> None:
        """Subscribe before reading, so that no change is missed in between. Raises RefusalError."""
        hub = get_hub()
        self._write_or_keep("hello", rendering.hello_message(selection))
        try:
            hub.subscribe(self, selection.rankings)
            for snapshot in await hub.current(selection.rankings):
                self.deliver(snapshot)
            for ranking in selection.rankings:
                if ranking.id in hub.sparklines:
                    self.deliver(hub.sparklines[ranking.id])
        except ShuttingDownError:
            raise RefusalError(self.transport.restart_code, RESTART_REASON) from None
        except TooManySubscribersError:
            raise RefusalError(
                CloseCode.TOO_MANY_SUBSCRIBERS, "This process has too many subscribers. Reconnect later."
            ) from None
        except NoDataError:
            pass  # The feed delivers the snapshots when the database can be read.
        self.deliver(hub.ping())

    async def dispatch(self, message: Any) -> None:
        """Handle an event. For a client's message, leave out that Channels looks after database connections.

        It does so in a thread, which costs more than the message: a flood of messages delayed all viewers.
        https://github.com/django/channels/blob/4.3.2/channels/consumer.py (dispatch)
        """
        if message["type"] == "websocket.receive":
            await self.websocket_receive(message)
        else:
            await super().dispatch(message)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Answer a client's messages with errors, and close after too many: none has a meaning yet."""
        self.received += 1
        if self.received == MAX_CLIENT_MESSAGES + 1:
            self._on_flood()
        elif self.received <= MAX_CLIENT_MESSAGES:
            self._write_or_keep(
                "error", rendering.error_message(CloseCode.BAD_REQUEST, "This socket accepts no messages.")
            )

    def _on_flood(self) -> None:
        metrics.REFUSED.labels("messages").inc()
        self.leave(CloseCode.TOO_MANY_MESSAGES, "Too many messages. This socket accepts none.")

    async def disconnect(self, code: int) -> None:
        """Release everything that this subscriber holds."""
        self._release()

    def deliver(self, message: Message) -> None:
        """Send a message now or when the transport takes it; until then a newer one replaces it."""
        if isinstance(message, Snapshot):
            self._write_or_keep(message.ranking.id, message)
        elif isinstance(message, Ping):
            self._write_or_keep("ping", message)
        elif not self.json:
            self._write_or_keep(f"sparklines {message.ranking}", message.message)

    def on_deleted(self, slug: str) -> None:
        """Close, because a ranking doesn't exist any more."""
        self.leave(CloseCode.UNKNOWN_RANKING, f"The ranking {quoted(slug)} has been deleted.")

    def on_logout(self) -> None:
        """Close, because the session has ended."""
        self.leave(CloseCode.LOGIN_REQUIRED, "The session has ended. Log in again.")

    def on_users_lost(self) -> None:
        """Close, because nobody has known for too long whether the session is still logged in."""
        self.leave(CloseCode.USERS_UNAVAILABLE, USERS_LOST_REASON)

    def on_shutdown(self) -> None:
        """Close with the request to reconnect: another process, or the next one, will answer."""
        self.leave(self.transport.restart_code, RESTART_REASON)

    def leave(self, code: CloseCode, reason: str) -> None:
        """Tell the client why, and close."""
        self._release()
        self.transport.close(rendering.error_message(code, reason), code, reason)

    def _release(self) -> None:
        get_hub().unsubscribe(self)
        self._pending.clear()
        if self._session_key is not None:
            get_logins().remove_socket(self._session_key, self)
        if self._stalled is not None:
            self._stalled.cancel()

    def _write_or_keep(self, key: str, message: Snapshot | Ping | str) -> None:
        if self._pending or not self._write(message):
            self._counts.coalesced += key in self._pending
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
        """Hand a message to the transport; return False if it doesn't take it now."""
        if isinstance(message, str):
            return self._transmit(message)
        if isinstance(message, Ping):
            return self._transmit(rendering.ping_message(message))
        id_, size, language = message.ranking.id, self.selection.size, self.selection.language
        is_first = id_ not in self._sent
        content = message.etag(size), message.totals
        if self._sent.get(id_) != content and not (is_first and content[0] in self._seen_etags):
            if not self.json:
                text = rendering.card_message(message, size, language)
            else:
                render = rendering.snapshot_message if is_first else rendering.update_message
                text = render(message, size, language)
            if not self._transmit(text):
                return False
        self._sent[id_] = content
        return True

    def _transmit(self, text: str) -> bool:
        if not self.transport.write(text):
            return False
        self._counts.add(text)
        return True

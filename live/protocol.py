"""The WebSocket protocol: its version, formats, message types and close codes. See docs/protocol.md."""

from __future__ import annotations

from enum import IntEnum, StrEnum

#: Sent in the hello; docs/schemas/ has a folder of JSON schemas for each version.
VERSION = 1
#: Messages that a client may send before its socket is closed. None has a meaning yet.
MAX_CLIENT_MESSAGES = 20
#: Bytes of such a message, decompressed: many times what an error or a greeting needs.
MAX_CLIENT_MESSAGE_BYTES = 4096


class Format(StrEnum):
    """The values of `?format=`: cards for htmx, the default, or JSON for programs."""

    HTML = "html"
    JSON = "json"


class MessageType(StrEnum):
    """The `type` of a JSON message."""

    HELLO = "hello"
    SNAPSHOT = "snapshot"
    UPDATE = "update"
    PING = "ping"
    SPARKLINES = "sparklines"
    ERROR = "error"


class CloseCode(IntEnum):
    """Why a socket was closed.

    44xx are this protocol's: don't reconnect, the next attempt would be refused too. 45xx: reconnect later.
    Below 4000 are those of RFC 6455, https://www.iana.org/assignments/websocket/websocket.xhtml
    """

    #: Also what Daphne answers to a tab that is hidden and shown again at once.
    NORMAL = 1000
    GOING_AWAY = 1001
    NO_STATUS = 1005
    CONNECTION_LOST = 1006
    MESSAGE_TOO_LARGE = 1009
    INTERNAL_ERROR = 1011
    #: The server is shutting down.
    RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014

    BAD_REQUEST = 4400
    LOGIN_REQUIRED = 4401
    FORBIDDEN = 4403
    UNKNOWN_RANKING = 4404
    TOO_MANY_MESSAGES = 4429
    TOO_MANY_SUBSCRIBERS = 4503
    #: RESTART, from an ASGI server that may not send 1012.
    ASGI_RESTART = 4512
    #: The database of users and sessions can't be asked whether this client may subscribe.
    USERS_UNAVAILABLE = 4513

    @property
    def may_reconnect(self) -> bool:
        """Whether a client should connect again, after a delay."""
        return self >= 4500 or (self < 4000 and self is not CloseCode.MESSAGE_TOO_LARGE)

    @property
    def is_explained(self) -> bool:
        """Whether the server sends an error message with this code before it closes."""
        return self >= 4000 or self is CloseCode.RESTART

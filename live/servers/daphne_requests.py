"""Limits of HTTP requests on Daphne, which has none of its own. Imported only where Daphne is.

Daphne reads a whole request before it hands it on, and keeps a body of any size in a file. Of Twisted's
HTTPChannel this uses what isn't public: `_savedTimeOut` (its idle timeout), `_send100Continue` and
`_respondToBadRequestAndDisconnect` (its answer to what isn't HTTP); of its Request, `gotLength`,
`handleContentChunk` and `_parsePOSTFormSubmission`.
Delete this when Daphne limits requests.
https://github.com/django/daphne/blob/4.2.3/daphne/http_protocol.py
"""

from __future__ import annotations

import re
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from daphne.http_protocol import WebRequest  # type: ignore[import-untyped]
from twisted.internet import tcp
from twisted.internet.protocol import connectionDone
from twisted.web.http import HTTPChannel

from live import metrics
from live.conf import live_settings
from live.servers.daphne_connections import get_connections

if TYPE_CHECKING:
    from twisted.python.failure import Failure

#: Headers of a request. Browsers send about 20, proxies add a few; Apache's limit is the same.
#: https://httpd.apache.org/docs/2.4/mod/core.html#limitrequestfields
MAX_HEADERS = 100
#: Bytes of a body that stay in memory. Each body in a file would take a file descriptor.
MAX_BYTES_IN_MEMORY = 102_400
#: Bytes of a body within BODY_SECONDS: 2 KB/s, slower than any phone.
BODY_STEP_BYTES = 65_536
#: Time for the request line and all headers, from the connection or the first byte on.
HEADERS_SECONDS = 10
#: Time for each BODY_STEP_BYTES of a body.
BODY_SECONDS = 30
#: Time that a connection stays open between two requests: longer than a page waits between two polls.
KEEP_ALIVE_SECONDS = 20
#: Time for a client to read the rest of an answer, after which its connection is to be closed.
CLOSE_SECONDS = 30
#: Time and bytes that a refused client may go on sending. Otherwise TCP resets the connection, and the client
#: loses the answer. https://datatracker.ietf.org/doc/html/rfc9112#section-9.6
LINGER_SECONDS = 2
MAX_LINGER_BYTES = 1_048_576
#: Bytes that no path of a URL may have, not even percent-encoded: control characters.
CONTROL_CHARACTERS = re.compile(rb"[\x00-\x1f\x7f]")


class LimitedChannel(HTTPChannel):
    """One HTTP connection, with deadlines for its client. Twisted's timeout begins again with each byte."""

    transport: Any
    maxHeaders = MAX_HEADERS  # noqa: N815 - Twisted's name

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        super().connectionMade()  # type: ignore[no-untyped-call]
        self._connections = get_connections()
        self._connections.add(self.transport, getattr(self.transport.getPeer(), "host", None))
        self._connections.wait_for(self)
        self._is_idle = self._is_refused = self._is_closing = False
        self._discarded_bytes = 0
        self.setTimeout(HEADERS_SECONDS)  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        self._connections.wait_no_more(self)
        self._connections.remove(self.transport)
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def resetTimeout(self) -> None:  # noqa: N802
        """Do nothing: a byte now and then doesn't put a deadline off."""

    def timeoutConnection(self) -> None:  # noqa: N802
        """Close, or drop the connection if it was to be closed before."""
        if self._is_closing or self._is_refused:
            self.forceAbortClient()  # type: ignore[no-untyped-call]
            return
        if not self._is_idle:
            metrics.REFUSED.labels("slow_request").inc()
        self.loseConnection()

    def loseConnection(self) -> None:  # noqa: N802
        self._is_closing = True
        super().loseConnection()  # type: ignore[no-untyped-call]
        self.setTimeout(CLOSE_SECONDS)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._is_refused:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > MAX_LINGER_BYTES:
                self.forceAbortClient()  # type: ignore[no-untyped-call]
            return
        if self._is_idle:
            self._is_idle = False
            self.setTimeout(HEADERS_SECONDS)  # type: ignore[no-untyped-call]
        super().dataReceived(data)  # type: ignore[no-untyped-call]

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        if not self._is_refused:
            super().lineReceived(line)  # type: ignore[no-untyped-call]

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802
        if not self._is_refused:
            super().rawDataReceived(data)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802
        self.refuse("400 Bad Request", "header_size")

    def headerReceived(self, line: bytes) -> bool:  # noqa: N802
        try:
            return super().headerReceived(line)  # type: ignore[no-any-return, no-untyped-call]
        except ValueError:
            # int() refuses a Content-Length of more than 4,300 digits.
            self.refuse("400 Bad Request", "malformed_request")
            return False

    def allHeadersReceived(self) -> None:  # noqa: N802
        if self.length and self.length > live_settings.MAX_BODY_BYTES:
            self.refuse_body()
            return
        if self.length != 0:
            self.setTimeout(BODY_SECONDS)  # type: ignore[no-untyped-call]
        super().allHeadersReceived()  # type: ignore[no-untyped-call]

    def allContentReceived(self) -> None:  # noqa: N802
        if not self._is_refused:
            self._connections.wait_no_more(self)
            super().allContentReceived()  # type: ignore[no-untyped-call]

    def requestDone(self, request: Any) -> None:  # noqa: N802
        self._is_idle = True
        self._savedTimeOut = KEEP_ALIVE_SECONDS
        self._connections.wait_for(self)
        super().requestDone(request)  # type: ignore[no-untyped-call]

    def refuse_body(self) -> None:
        """Answer that the body is too large."""
        self.refuse("413 Content Too Large", "body_size")

    def refuse(self, status: str, reason: str) -> None:
        """Answer with a status, count the reason, read no further request, and close soon."""
        if self._is_refused or self._is_closing:
            return
        self._is_refused = True
        metrics.REFUSED.labels(reason).inc()
        body = f"{status}\n"
        headers = "Content-Type: text/plain\r\nConnection: close\r\n"
        answer = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}"
        self.transport.write(answer.encode())
        if isinstance(self.transport, tcp.Connection):
            self.transport.loseWriteConnection()  # type: ignore[no-untyped-call]
        else:
            self.transport.loseConnection()
        self.setTimeout(LINGER_SECONDS)  # type: ignore[no-untyped-call]

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802
        self.refuse("400 Bad Request", "malformed_request")

    def _send100Continue(self) -> None:  # noqa: N802
        if not self._is_refused:
            super()._send100Continue()  # type: ignore[no-untyped-call]


class LimitedRequest(WebRequest):  # type: ignore[misc]
    """A request whose body is bounded, and which is HTTP that Daphne and Django can take."""

    path: bytes
    #: Django parses forms. Twisted would load the whole body for it.
    _parsePOSTFormSubmission = False  # noqa: N815 - Twisted's name

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        self.content = SpooledTemporaryFile(MAX_BYTES_IN_MEMORY)  # noqa: SIM115 - closed by Twisted
        self._body_bytes = 0

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        if self.channel._is_refused:
            return
        steps = self._body_bytes // BODY_STEP_BYTES
        self._body_bytes += len(data)
        if self._body_bytes > live_settings.MAX_BODY_BYTES:
            self.content.close()
            self.channel.refuse_body()
            return
        self.content.write(data)
        if self._body_bytes // BODY_STEP_BYTES > steps:
            self.channel.setTimeout(BODY_SECONDS)

    def process(self) -> Any:
        """Hand the request on, unless Daphne or Django would fail on it."""
        if is_malformed(self):
            metrics.REFUSED.labels("malformed_request").inc()
            self.basic_error(400, b"Bad Request", "Malformed request")
            return None
        return super().process()


def is_malformed(request: Any) -> bool:
    """Return whether a request has what Daphne answers with 500 and a traceback, or Django with a 500.

    That is a path that isn't absolute or has control characters, a method that isn't ASCII, and one of the
    headers that Daphne decodes as ASCII with other characters.
    """
    headers = request.requestHeaders
    decoded = [
        value
        for name in (b"Daphne-Root-Path", b"Sec-WebSocket-Protocol")
        for value in headers.getRawHeaders(name, ())
    ]
    return (
        not request.path.startswith(b"/")
        or not request.uri.isascii()
        or not request.method.isascii()
        or not all(value.isascii() for value in decoded)
        or any(CONTROL_CHARACTERS.search(unquote_to_bytes(value)) for value in (request.path, *decoded))
    )

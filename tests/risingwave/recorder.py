"""A proxy in front of a server that records simple queries and their answers."""

from __future__ import annotations

import socket
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from django_risingwave.testing.double import messages
from tests.risingwave.recording import Answer, Recording
from tests.risingwave.servers import ServerError, replaced

if TYPE_CHECKING:
    from typing import Self

#: RisingWave's port, where the URL has none.
DEFAULT_PORT = 4566
#: What is recorded of a statement whose session the server ends instead of answering.
SESSION_ENDED = {"S": "FATAL", "C": "XX000", "M": "The server closed the connection."}


class Recorder:
    """The proxy, which listens while it is open. It passes all messages on as they are."""

    def __init__(self, url: str) -> None:
        """Record what the server at `url` is asked. Raises ServerError if the URL requires TLS."""
        parts = urlsplit(url)
        if parse_qs(parts.query).get("sslmode", ["prefer"])[-1] in ("require", "verify-ca", "verify-full"):
            raise ServerError("Statements can't be recorded over TLS. Leave sslmode out of RISINGWAVE_URL.")
        self.address = (parts.hostname or "127.0.0.1", parts.port or DEFAULT_PORT)
        self.recording = Recording()
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        #: The URL of the server through the proxy.
        self.url = replaced(url, host=f"127.0.0.1:{port}", sslmode="disable", gssencmode="disable")
        self._sessions: list[_Session] = []
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for session in self._sessions:
            session.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(self.address)
                except OSError:
                    client.close()
                    continue
                self._sessions.append(_Session(client, server, self.recording))


class _Session:
    """A client's connection and the one to the server."""

    def __init__(self, client: socket.socket, server: socket.socket, recording: Recording) -> None:
        self.client, self.server, self.recording = client, server, recording
        self._asked: deque[Answer] = deque()
        self._threads = [threading.Thread(target=self._ask), threading.Thread(target=self._answer)]
        for connection in (client, server):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._end()
        for thread in self._threads:
            thread.join()
        self.client.close()
        self.server.close()

    def _end(self) -> None:
        for connection in (self.client, self.server):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _ask(self) -> None:
        with self.client.makefile("rb") as stream, suppress(OSError):
            while messages.asks_for_encryption(start := messages.read_start(stream)):
                self.client.sendall(b"N")
            self.server.sendall(start)
            while found := messages.read(stream):
                kind, body = found
                if kind == b"Q":
                    self._asked.append(Answer(body[:-1].decode(errors="replace")))
                self.server.sendall(messages.message(kind, body))
        self._end()

    def _answer(self) -> None:
        with self.server.makefile("rb") as stream, suppress(OSError):
            while found := messages.read(stream):
                kind, body = found
                if self._asked:
                    self._record(kind, body)
                self.client.sendall(messages.message(kind, body))
        if self._asked and not self._asked[0].tags:
            self._asked[0].error = SESSION_ENDED
            self.recording.add(self._asked[0].transcript())
        self._end()

    def _record(self, kind: bytes, body: bytes) -> None:
        answer = self._asked[0]
        match kind:
            case b"T":
                answer.columns = tuple(messages.read_columns(body))
            case b"D":
                answer.add_row(messages.read_row(body))
            case b"C":
                answer.tags.append(body[:-1].decode())
            case b"N":
                answer.notices.append(messages.read_fields(body))
            case b"E":
                answer.error = messages.read_fields(body)
            case b"Z":
                self.recording.add(self._asked.popleft().transcript())

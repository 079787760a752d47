"""A client that keeps an answer as it comes over the wire."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, BinaryIO, Self

from django_risingwave.testing.double import messages
from django_risingwave.testing.transcripts import Transcript

if TYPE_CHECKING:
    from django_risingwave.testing.double.server import Double


class Client:
    """A session that sends simple queries to the double."""

    def __init__(self, double: Double, database: str) -> None:
        self._connection = socket.create_connection(("127.0.0.1", double.port))
        self._stream: BinaryIO = self._connection.makefile("rb")
        self._connection.sendall(messages.startup(double.user, database))
        self._receive("")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()
        self._connection.close()

    def ask(self, sql: str) -> Transcript:
        """Return the statement with its answer, whose rows are complete."""
        self._connection.sendall(messages.query(sql))
        return self._receive(sql)

    def _receive(self, sql: str) -> Transcript:
        columns: list[tuple[str, int]] = []
        rows: list[tuple[str | None, ...]] = []
        tags: list[str] = []
        notices: list[dict[str, str]] = []
        error = None
        while message := messages.read(self._stream):
            kind, body = message
            match kind:
                case b"T":
                    columns = messages.read_columns(body)
                case b"D":
                    values = messages.read_row(body)
                    rows.append(tuple(None if value is None else value.decode() for value in values))
                case b"C":
                    tags.append(body[:-1].decode())
                case b"N":
                    notices.append(messages.read_fields(body))
                case b"E":
                    error = messages.read_fields(body)
                case b"Z":
                    break
        return Transcript(
            sql,
            columns=tuple(columns),
            rows=tuple(rows),
            tags=tuple(tags),
            notices=tuple(notices),
            error=error,
        )

"""Messages of PostgreSQL's protocol, version 3, which RisingWave speaks.

https://www.postgresql.org/docs/18/protocol-message-formats.html
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

READY = struct.pack("!cic", b"Z", 5, b"I")
# Requests that come before the startup message, and the codes that they have in place of a version.
_ENCRYPTION_CODES = {80877103, 80877104}


def read(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """Return the kind and the body of the next message, or None at the end of the stream."""
    head = stream.read(5)
    if len(head) < 5:
        return None
    kind, length = struct.unpack("!ci", head)
    return kind, stream.read(length - 4)


def read_start(stream: BinaryIO) -> bytes:
    """Return the first message, which has no kind; nothing at the end of the stream."""
    head = stream.read(4)
    return head + stream.read(int.from_bytes(head) - 4) if head else b""


def asks_for_encryption(start: bytes) -> bool:
    return len(start) == 8 and int.from_bytes(start[4:]) in _ENCRYPTION_CODES


def start_parameters(start: bytes) -> dict[str, str]:
    """Return the parameters of a startup message, such as user and database."""
    words = start[8:].decode().split("\0")
    return dict(zip(words[::2], words[1::2], strict=False))


def message(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack("!ci", kind, 4 + len(body)) + body


def query(sql: str) -> bytes:
    return message(b"Q", sql.encode() + b"\0")


def startup(user: str, database: str) -> bytes:
    parameters = f"user\0{user}\0database\0{database}\0\0".encode()
    return struct.pack("!ii", 8 + len(parameters), 3 << 16) + parameters


def complete(tag: str) -> bytes:
    return message(b"C", tag.encode() + b"\0")


def fields(kind: bytes, values: Mapping[str, str]) -> bytes:
    """Return an error (kind E) or a notice (kind N)."""
    return message(kind, b"".join(f"{code}{text}\0".encode() for code, text in values.items()) + b"\0")


def read_fields(body: bytes) -> dict[str, str]:
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


def read_columns(body: bytes) -> list[tuple[str, int]]:
    """Return the name and the type's oid of each column of a RowDescription."""
    columns, start = [], 2
    while start < len(body):
        end = body.index(b"\0", start)
        (oid,) = struct.unpack("!I", body[end + 7 : end + 11])
        columns.append((body[start:end].decode(), oid))
        start = end + 19
    return columns


def columns(values: Sequence[tuple[str, int]]) -> bytes:
    """Return a RowDescription of columns of no table, in text format."""
    body = struct.pack("!h", len(values))
    for name, oid in values:
        body += name.encode() + b"\0" + struct.pack("!IhIhih", 0, 0, oid, -1, -1, 0)
    return message(b"T", body)


def read_row(body: bytes) -> list[bytes | None]:
    values: list[bytes | None] = []
    start = 2
    while start < len(body):
        (length,) = struct.unpack("!i", body[start : start + 4])
        start += 4
        values.append(None if length < 0 else body[start : start + length])
        start += max(length, 0)
    return values


def row(values: Iterable[bytes | None]) -> bytes:
    items = list(values)
    parts = [b"\xff\xff\xff\xff" if item is None else struct.pack("!i", len(item)) + item for item in items]
    return message(b"D", struct.pack("!h", len(items)) + b"".join(parts))


def has_error(answer: bytes) -> bool:
    """Return whether one of these messages is an error."""
    while answer:
        if answer[:1] == b"E":
            return True
        answer = answer[1 + int.from_bytes(answer[1:5]) :]
    return False

"""A double of RisingWave on the wire, for what PostgreSQL has nothing like: subscriptions.

A proxy in front of the stand-in. It passes all bytes through, but for the simple queries that only RisingWave
knows: in the place of each, the stand-in is sent one with the answer that RisingWave 3.0.3 is documented to
give (https://docs.risingwave.com/serve/subscription; paths below are of its source, under src/frontend/src).
A FETCH is held back until the stand-in's triggers NOTIFY that its view has changed, or until its timeout.

It is no RisingWave. All other SQL is PostgreSQL's, and writes are visible at once. An epoch ends with each
NOTIFY and with FLUSH. A change carries any row of the view, since a NOTIFY doesn't say which one changed. Of
what makes no sense only a cursor's statements are refused.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from django_risingwave.standin.summaries import CHANNEL

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "PostgreSQL 13.14.0-RisingWave-3.0.3 (double)"
# session/cursor_manager.rs
EXPIRED = "The cursor has exceeded its maximum lifetime, please recreate it (close then declare cursor)."
# PostgreSQL does it, and it changes nothing.
NOTHING = "RESET lock_timeout"

_STATEMENTS = {
    "version": r"SELECT version\(\)",
    "set_": r"SET rw_\w+ TO \w+",
    "flush": r"FLUSH",
    "create": r"CREATE SUBSCRIPTION \"(\w+)\" FROM \"(\w+)\" WITH \(retention = '[^']+'\)",
    "drop": r"DROP SUBSCRIPTION \"(\w+)\"",
    "list_": r".*\brw_catalog\.rw_subscriptions\b.*",
    "declare": r"DECLARE \"(\w+)\" SUBSCRIPTION CURSOR FOR \"(\w+)\" (FULL|SINCE (?:now\(\)|begin\(\)|\d+))",
    "fetch": r"FETCH (\d+) FROM \"(\w+)\"(?: WITH \(timeout = '(\d+)s'\))?",
    "close": r"CLOSE \"(\w+)\"",
}
_PATTERNS = {name: re.compile(pattern, re.DOTALL) for name, pattern in _STATEMENTS.items()}


@dataclass
class Cursor:
    view: str
    #: What it tells next are the changes of this moment and later, in milliseconds since 1970.
    since: int
    #: Whether it has rows to give before that.
    is_full: bool
    declared_at: float = field(default_factory=time.monotonic)


class Double:
    """The server: where it is, what it is sent, and what goes wrong."""

    def __init__(self, folder: str, user: str, database: str) -> None:
        """Stand before the stand-in whose socket is in this folder, which must not ask for a password."""
        self._backend = f"{folder}/.s.PGSQL.5432"
        #: All simple queries, as they came.
        self.statements: list[str] = []
        #: The source of each subscription.
        self.subscriptions: dict[str, str] = {}
        self.sessions: list[Session] = []
        # All below is guarded by this.
        self.news = threading.Condition()
        #: Of each view, the epochs in which it changed, by their beginnings in milliseconds since 1970.
        self.changes: defaultdict[str, list[int]] = defaultdict(list)
        self.epoch = _now()
        self.expired_at = 0.0

        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._notifications = self.connect()
        self._threads = [
            threading.Thread(target=self._accept),
            threading.Thread(target=self._listen, args=(user, database)),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self.expire_cursors()
        for used in (self._listener, self._notifications):
            with suppress(OSError):
                used.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for session in self.sessions:
            session.close()
        self._listener.close()
        self._notifications.close()

    # Faults ----------------------------------------------------------------------------------------------

    def drop(self, condition: Callable[[Session], object]) -> None:
        """End the connections of these, as a server does that dies."""
        for session in self.sessions:
            if condition(session):
                session.end()

    def expire_cursors(self) -> None:
        """Refuse each FETCH of the cursors that there are, as when nothing has changed for the retention."""
        with self.news:
            self.expired_at = time.monotonic()
            self.news.notify_all()

    # What happens ----------------------------------------------------------------------------------------

    def next_epoch(self) -> None:
        self.epoch = max(_now(), self.epoch + 1)

    def connect(self) -> socket.socket:
        backend = socket.socket(socket.AF_UNIX)
        backend.connect(self._backend)
        return backend

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                session = Session(self, client)
                # First, since whoever is answered looks for it there.
                self.sessions.append(session)
                session.start()

    def _listen(self, user: str, database: str) -> None:
        """Hear which views change: https://www.postgresql.org/docs/18/protocol-message-formats.html."""
        parameters = f"user\0{user}\0database\0{database}\0\0".encode()
        self._notifications.sendall(struct.pack("!ii", 8 + len(parameters), 3 << 16) + parameters)
        self._notifications.sendall(_message(b"Q", f"LISTEN {CHANNEL}\0".encode()))
        with self._notifications.makefile("rb") as stream:
            while message := _read(stream):
                kind, body = message
                if kind == b"A":
                    view = body[4:].split(b"\0")[1].decode()
                    with self.news:
                        self.changes[view].append(self.epoch)
                        self.next_epoch()
                        self.news.notify_all()


class Session:
    """A client's connection, and the one to the stand-in that it is passed on to."""

    def __init__(self, double: Double, client: socket.socket) -> None:
        self.double = double
        self.client = client
        self.backend = double.connect()
        self.cursors: dict[str, Cursor] = {}
        self.threads = [threading.Thread(target=self._ask), threading.Thread(target=self._answer)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    @property
    def is_open(self) -> bool:
        return self.threads[1].is_alive()

    def end(self) -> None:
        for used in (self.client, self.backend):
            with suppress(OSError):
                used.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.end()
        for thread in self.threads:
            thread.join()
        self.client.close()
        self.backend.close()

    def _ask(self) -> None:
        with self.client.makefile("rb") as stream, suppress(OSError):
            if start := stream.read(4):
                self.backend.sendall(start + stream.read(int.from_bytes(start) - 4))
            while message := _read(stream):
                kind, body = message
                if kind == b"Q":
                    body = self._translate(body[:-1].decode()).encode() + b"\0"
                self.backend.sendall(_message(kind, body))
        self.end()

    def _answer(self) -> None:
        with suppress(OSError):
            while data := self.backend.recv(65536):
                self.client.sendall(data)
        self.end()

    # Statements ------------------------------------------------------------------------------------------

    def _translate(self, sql: str) -> str:
        """Return what PostgreSQL is sent for it."""
        self.double.statements.append(sql)
        for name, pattern in _PATTERNS.items():
            if match := pattern.fullmatch(sql):
                translated: str = getattr(self, f"_{name}")(*match.groups())
                return translated
        return sql

    def _version(self) -> str:
        return f"SELECT '{VERSION}'"

    def _set_(self) -> str:
        return NOTHING

    def _flush(self) -> str:
        with self.double.news:
            self.double.next_epoch()
        return NOTHING

    def _create(self, name: str, source: str) -> str:
        self.double.subscriptions[name] = source
        return NOTHING

    def _drop(self, name: str) -> str:
        del self.double.subscriptions[name]
        return NOTHING

    def _list_(self) -> str:
        names, sources = list(self.double.subscriptions), list(self.double.subscriptions.values())
        return f"SELECT * FROM unnest(ARRAY{sources}::varchar[], ARRAY{names}::varchar[])"

    def _declare(self, name: str, subscription: str, begin: str) -> str:
        # handler/declare_cursor.rs, session/cursor_manager.rs
        if name in self.cursors:
            return _refuse(f"Catalog error: cursor `{name}` already exists")
        if subscription not in self.double.subscriptions:
            return _refuse(f"Catalog error: subscription not found: {subscription}")
        view = self.double.subscriptions[subscription]
        since = {"FULL": _now(), "SINCE now()": _now(), "SINCE begin()": 0}.get(begin)
        if since is None:
            since = int(begin.removeprefix("SINCE "))
        self.cursors[name] = Cursor(view, since, is_full=begin == "FULL")
        return NOTHING

    def _fetch(self, size: str, name: str, timeout: str | None) -> str:
        # SubscriptionCursor::next() in session/cursor_manager.rs
        if name not in self.cursors:
            return _refuse(f"Cannot find cursor `{name}`")
        cursor, double = self.cursors[name], self.double
        if cursor.is_full:
            cursor.is_full = False
            columns = "*, 'Insert'::varchar AS op, NULL::bigint AS rw_timestamp"
            return f"SELECT {columns} FROM {cursor.view} LIMIT {size}"
        until = time.monotonic() + int(timeout or 0)
        with double.news:
            while True:
                if cursor.declared_at <= double.expired_at:
                    return _refuse(EXPIRED)
                epochs = [epoch for epoch in double.changes[cursor.view] if epoch >= cursor.since]
                left = until - time.monotonic()
                if epochs or left <= 0:
                    break
                double.news.wait(left)
        epochs = epochs[: int(size)]
        if epochs:
            cursor.since = epochs[-1] + 1
        return f"""
            SELECT changed.*, 'Insert'::varchar AS op, epoch.rw_timestamp
            FROM unnest(ARRAY{epochs}::bigint[]) AS epoch (rw_timestamp)
            LEFT JOIN LATERAL (SELECT * FROM {cursor.view} LIMIT 1) AS changed ON true
        """

    def _close(self, name: str) -> str:
        if self.cursors.pop(name, None) is None:
            return _refuse(f"Catalog error: cursor `{name}` don't exists")
        return NOTHING


def _now() -> int:
    return time.time_ns() // 1_000_000


def _read(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """Return the kind and the body of the next message; None at the end."""
    head = stream.read(5)
    if len(head) < 5:
        return None
    kind, length = struct.unpack("!ci", head)
    return kind, stream.read(length - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return struct.pack("!ci", kind, 4 + len(body)) + body


def _refuse(text: str) -> str:
    """Nearly all of RisingWave's errors have this code."""
    return f"DO $do$BEGIN RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = $text${text}$text$; END$do$"

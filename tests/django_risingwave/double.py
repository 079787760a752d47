"""A double of RisingWave's protocol, for subscriptions, which PostgreSQL doesn't have.

It is a proxy in front of the stand-in and passes all bytes through, except the simple queries that only
RisingWave understands. It replaces each of them by a query whose result is the answer that RisingWave 3.0.3
documents (https://docs.risingwave.com/serve/subscription; the paths below are in its source, under
src/frontend/src). The stand-in's triggers notify it of changes of a view.

It differs from RisingWave: other SQL is PostgreSQL's, and writes are visible at once. An epoch ends with each
notification and with FLUSH. A change has any row of the view, since a notification doesn't say which row
changed. It refuses wrong statements about cursors only.
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
# A statement that PostgreSQL accepts and that changes nothing.
NOTHING = "RESET lock_timeout"

_STATEMENTS = {
    "version": r"SELECT version\(\)",
    "set_": r"SET rw_\w+ TO \w+",
    "flush": r"FLUSH",
    "create": r"CREATE SUBSCRIPTION \"(\w+)\" FROM \"(\w+)\" WITH \(retention = '[^']+'\)",
    "drop": r"DROP SUBSCRIPTION \"(\w+)\"",
    "list_": r".*\brw_catalog\.rw_subscriptions\b.*",
    "relations": r"\s*SELECT relation\.name, relation\.relation_type\s+FROM rw_catalog\.rw_relations\b.*",
    "declare": r"DECLARE \"(\w+)\" SUBSCRIPTION CURSOR FOR \"(\w+)\" (FULL|SINCE (?:now\(\)|begin\(\)|\d+))",
    "fetch": r"FETCH (\d+) FROM \"(\w+)\"",
    "close": r"CLOSE \"(\w+)\"",
}
_PATTERNS = {name: re.compile(pattern, re.DOTALL) for name, pattern in _STATEMENTS.items()}


@dataclass
class Cursor:
    view: str
    #: The next FETCH returns changes of this timestamp and later, in milliseconds since 1970.
    since: int
    #: Whether the next FETCH returns the existing rows instead.
    is_full: bool
    #: How many times FETCH was called. From the second on, the first has been answered.
    fetches: int = 0
    declared_at: float = field(default_factory=time.monotonic)


class Double:
    """The server: its port, the statements it has received, and the faults it can be told to have."""

    def __init__(self, folder: str, user: str, database: str) -> None:
        """Proxy the stand-in whose socket is in `folder`. It must not ask for a password."""
        self._backend = f"{folder}/.s.PGSQL.5432"
        #: All simple queries received, in order.
        self.statements: list[str] = []
        #: The source of each subscription, by the subscription's name.
        self.subscriptions: dict[str, str] = {}
        self.sessions: list[Session] = []
        #: Guards the attributes below, and is notified when they change.
        self.changed = threading.Condition()
        #: By view, when the epochs began in which it changed, in milliseconds since 1970.
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
        """End the connections of these sessions, as a server that dies."""
        for session in self.sessions:
            if condition(session):
                session.end()

    def expire_cursors(self) -> None:
        """Refuse each FETCH of the existing cursors, as when nothing has changed for the retention."""
        with self.changed:
            self.expired_at = time.monotonic()
            self.changed.notify_all()

    # Connections and changes -----------------------------------------------------------------------------

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
                # Before start(): a client that has an answer finds its session here.
                self.sessions.append(session)
                session.start()

    def _listen(self, user: str, database: str) -> None:
        """Receive the stand-in's notifications of changed views, in PostgreSQL's protocol.

        https://www.postgresql.org/docs/18/protocol-message-formats.html
        """
        parameters = f"user\0{user}\0database\0{database}\0\0".encode()
        self._notifications.sendall(struct.pack("!ii", 8 + len(parameters), 3 << 16) + parameters)
        self._notifications.sendall(_message(b"Q", f"LISTEN {CHANNEL}\0".encode()))
        with self._notifications.makefile("rb") as stream:
            while message := _read(stream):
                kind, body = message
                if kind == b"A":
                    view = body[4:].split(b"\0")[1].decode()
                    with self.changed:
                        self.changes[view].append(self.epoch)
                        self.next_epoch()
                        self.changed.notify_all()


class Session:
    """A client's connection, and the connection to the stand-in that its messages are passed on to."""

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
        """Return the statements that PostgreSQL is sent instead."""
        if sql.startswith("FETCH ") and "; " in sql:
            return "; ".join(map(self._translate, sql.split("; ")))
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
        with self.double.changed:
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

    def _relations(self) -> str:
        return """
            SELECT relname, CASE relkind WHEN 'v' THEN 'materialized view' ELSE 'table' END FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v')
        """

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

    def _fetch(self, size: str, name: str) -> str:
        # SubscriptionCursor::next() in session/cursor_manager.rs
        if name not in self.cursors:
            return _refuse(f"Cannot find cursor `{name}`")
        cursor, double = self.cursors[name], self.double
        cursor.fetches += 1
        if cursor.is_full:
            cursor.is_full = False
            columns = "*, 'Insert'::varchar AS op, NULL::bigint AS rw_timestamp"
            return f"SELECT {columns} FROM {cursor.view} LIMIT {size}"
        with double.changed:
            if cursor.declared_at <= double.expired_at:
                return _refuse(EXPIRED)
            epochs = [epoch for epoch in double.changes[cursor.view] if epoch >= cursor.since]
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
    """Return the kind and the body of the next message, or None at the end of the stream."""
    head = stream.read(5)
    if len(head) < 5:
        return None
    kind, length = struct.unpack("!ci", head)
    return kind, stream.read(length - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return struct.pack("!ci", kind, 4 + len(body)) + body


def _refuse(text: str) -> str:
    """Return a statement that fails with this message and the SQLSTATE of nearly all RisingWave's errors."""
    return f"DO $do$BEGIN RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = $text${text}$text$; END$do$"

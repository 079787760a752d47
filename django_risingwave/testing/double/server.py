"""The server: connections, changes, and faults on request."""

from __future__ import annotations

import socket
import threading
import time
from collections import defaultdict, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from django_risingwave.standin.functions import CHANNEL
from django_risingwave.testing.double import connectors, messages
from django_risingwave.testing.double.answers import Batch, Exchange, PassedOn
from django_risingwave.testing.double.attached import Attached
from django_risingwave.testing.double.catalog import SETUP
from django_risingwave.testing.double.errors import depends_on_state, found_by_rules
from django_risingwave.testing.double.subscriptions import Cursor, Subscriptions, Told, milliseconds
from django_risingwave.testing.double.translation import (
    is_recorded_whole,
    needs_catalog,
    recorded_answer,
    translate,
)
from django_risingwave.testing.statements.tokens import split_text

if TYPE_CHECKING:
    from collections.abc import Callable

# Bytes that a session collects before it sends them, within an answer.
_BUFFER_BYTES = 65_536


class Double:
    """The server: its port, the statements it has received, and the faults it can be told to have."""

    def __init__(self, folder: str, user: str, database: str) -> None:
        """Proxy the stand-in whose socket is in `folder`. It must not ask for a password."""
        self._backend = f"{folder}/.s.PGSQL.5432"
        #: The user that it connects to the stand-in as.
        self.user = user
        #: All statements of simple queries received, in order.
        self.statements: list[str] = []
        #: The source of each subscription, by the subscription's name, and its retention in seconds.
        self.subscriptions: dict[str, str] = {}
        self.retentions: dict[str, int] = {}
        #: The database of each subscription.
        self.homes: dict[str, str] = {}
        self.retention_texts: dict[str, str] = {}
        #: Names of materialized views; the source of each sink; the source and columns of each view's index.
        self.views: set[str] = set()
        self.sinks: dict[str, str] = {}
        self.sink_options: dict[str, str] = {}
        self.view_indexes: dict[str, tuple[str, str]] = {}
        #: The secrets. Without a licence for them, CREATE SECRET is refused.
        self.secrets: set[str] = set()
        self.is_licensed = False
        self.sessions: list[Session] = []
        #: Guards the attributes below, and is notified when they change.
        self.changed = threading.Condition()
        #: By view, when the epochs began in which it changed, in milliseconds since 1970.
        self.changes: defaultdict[str, list[int]] = defaultdict(list)
        #: The changes of a view in an epoch, if tell() has given them.
        self.told: dict[tuple[str, int], list[Told]] = {}
        #: How many FETCHes it takes to read the existing rows of a view: 1 unless it is set.
        self.snapshot_fetches: dict[str, int] = {}
        #: Texts of errors with which the next FETCHes and DECLAREs are refused.
        self.faults: list[str] = []
        self.epoch = milliseconds()
        self.expired_at = 0.0

        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        #: By database, the connection that its notifications come from.
        self._notifications: dict[str, socket.socket] = {}
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.listen(database)

    def close(self) -> None:
        self.expire_cursors()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for notifications in list(self._notifications.values()):
            with suppress(OSError):
                notifications.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for session in self.sessions:
            session.close()

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

    def tell(self, view: str, *changes: tuple[str, dict[str, Any]]) -> int:
        """Tell the cursors over a view that these (op, row) changed in the current epoch. Return its time."""
        with self.changed:
            epoch = self.epoch
            self.told[view, epoch] = [Told(epoch, op, row) for op, row in changes]
            self.changes[view].append(epoch)
            self.next_epoch()
            self.changed.notify_all()
        return epoch

    # Connections and changes -----------------------------------------------------------------------------

    def next_epoch(self) -> None:
        """Begin another epoch. It is later than the last one, and not later than the clock."""
        while milliseconds() <= self.epoch:
            time.sleep(0.0005)
        self.epoch = milliseconds()

    def connect(self) -> socket.socket:
        backend = socket.socket(socket.AF_UNIX)
        try:
            backend.connect(self._backend)
        except OSError:
            backend.close()
            raise
        return backend

    def listen(self, database: str) -> None:
        """Receive this database's notifications of changed views."""
        if database in self._notifications:
            return
        connection = self._notifications[database] = self.connect()
        connection.sendall(messages.startup(self.user, database) + messages.query(f"LISTEN {CHANNEL}"))
        thread = threading.Thread(target=self._receive, args=(connection, database))
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    session = Session(self, client)
                except OSError:
                    # The stand-in is down, and so is the double.
                    client.close()
                    continue
                # Before start(): a client that has an answer finds its session here.
                self.sessions.append(session)
                session.start()

    def _receive(self, connection: socket.socket, database: str) -> None:
        with connection, connection.makefile("rb") as stream, suppress(OSError):
            while message := messages.read(stream):
                kind, body = message
                if kind == b"A":
                    views = body[4:].split(b"\0")[1].decode().splitlines()
                    with self.changed:
                        for view in views:
                            self.changes[view].append(self.epoch)
                        self.next_epoch()
                        self.changed.notify_all()
        # The database was dropped, or the double is closed.
        del self._notifications[database]


class Session:
    """A client's connection, and the connection to the stand-in that its messages are passed on to."""

    def __init__(self, double: Double, client: socket.socket) -> None:
        self.double = double
        self.client = client
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.backend = double.connect()
        self._subscriptions = Subscriptions(double)
        self._attached = Attached(double)
        self._exchanges: deque[Exchange] = deque()
        self._has_catalog = False
        self.threads = [threading.Thread(target=self._ask), threading.Thread(target=self._answer)]

    @property
    def cursors(self) -> dict[str, Cursor]:
        """The cursors over subscriptions, by name."""
        return self._subscriptions.cursors

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

    # From the client -------------------------------------------------------------------------------------

    def _ask(self) -> None:
        try:
            with self.client.makefile("rb") as stream, suppress(OSError):
                self._ask_to_connect(stream)
                while message := messages.read(stream):
                    kind, body = message
                    if kind == b"Q":
                        self._ask_all(body[:-1].decode())
                        continue
                    if kind == b"S":
                        self._exchanges.append(PassedOn())
                    self.backend.sendall(messages.message(kind, body))
        finally:
            self.end()

    def _ask_to_connect(self, stream: BinaryIO) -> None:
        while messages.asks_for_encryption(start := messages.read_start(stream)):
            self.client.sendall(b"N")
        if database := messages.start_parameters(start).get("database"):
            self.double.listen(database)
            self._subscriptions.database = database
        self._exchanges.append(PassedOn())
        self.backend.sendall(start)

    def _ask_all(self, sql: str) -> None:
        """Send the statements of a query message. A refused one ends them."""
        statements, batch = split_text(sql) or [""], Batch()
        for statement in statements:
            self.double.statements.append(statement)
            exchange = Exchange(statement, batch=batch, is_last=statement is statements[-1])
            translated = self._translate(exchange)
            if isinstance(translated, bytes):
                exchange.answer, translated = translated, ""
                exchange.is_last |= messages.has_error(exchange.answer)
            elif needs_catalog(statement) and not self._has_catalog:
                self._has_catalog = True
                self._exchanges.append(Exchange(SETUP, is_last=False, is_hidden=True))
                self.backend.sendall(messages.query(SETUP))
            self._exchanges.append(exchange)
            self.backend.sendall(messages.query(translated))
            if exchange.is_last:
                break

    def _translate(self, exchange: Exchange) -> str | bytes:
        """Return the statement that PostgreSQL is sent instead, or the whole answer."""
        sql, found = exchange.sql, exchange.found
        if (translated := self._subscriptions.translate(sql)) is not None:
            return translated
        if found and all(item.error and not depends_on_state(item.error) for item in found):
            return recorded_answer(found[0])
        if not found and exchange.is_looked_up and (refused := found_by_rules(sql)):
            return messages.fields(b"E", refused)
        if translated := self._attached.translate(sql) or connectors.translate(sql, self.double):
            return translated
        if sql == "FLUSH":
            with self.double.changed:
                self.double.next_epoch()
            return messages.complete("FLUSH")
        if is_recorded_whole(sql):
            if accepted := [item for item in found if not item.error]:
                return recorded_answer(accepted[0])
            if sql.startswith("SET "):
                return messages.complete("SET_VARIABLE")
            if sql == "RECOVER":
                return messages.complete("RECOVER")
        return translate(sql)

    # From the stand-in -----------------------------------------------------------------------------------

    def _answer(self) -> None:
        try:
            with self.backend.makefile("rb") as stream, suppress(OSError):
                self._answer_all(stream)
        finally:
            self.end()

    def _answer_all(self, stream: BinaryIO) -> None:
        answer = bytearray()
        while message := messages.read(stream):
            kind, body = message
            exchange = self._exchanges[0] if self._exchanges else PassedOn()
            if kind != b"Z":
                answer += exchange.convert(kind, body)
            elif self._exchanges.popleft().is_last:
                answer += messages.READY
            if kind == b"Z" or len(answer) > _BUFFER_BYTES or isinstance(exchange, PassedOn):
                self.client.sendall(answer)
                answer.clear()
        self.client.sendall(answer)

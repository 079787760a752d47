"""What ends the waits for the database of users, and goes on whatever happens to it."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from django.db import OperationalError, ProgrammingError, connection, transaction

from django_risingwave.streaming.sessions import cut
from live import outages
from live.postgresql.base import DatabaseWrapper
from live.users import database, deadlines, notices

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db
#: What PostgreSQL says to a new client: https://www.postgresql.org/docs/18/protocol-flow.html
PARAMETERS = {
    "server_version": "18.0",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "TimeZone": "Asia/Tokyo",  # Django sets its own.
    "standard_conforming_strings": "on",
}


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


@contextmanager
def silent_server() -> Iterator[int]:
    """Start a server that lets clients in and then answers nothing; yield its port."""
    stopped = threading.Event()

    def serve() -> None:
        client, _ = listener.accept()
        # The client may have given up in the meantime.
        with client, suppress(OSError):
            client.recv(65_536)
            client.sendall(message(b"R", struct.pack("!i", 0)))
            for name, value in PARAMETERS.items():
                client.sendall(message(b"S", f"{name}\0{value}\0".encode()))
            client.sendall(message(b"K", struct.pack("!ii", 1, 1)) + message(b"Z", b"I"))
            stopped.wait()

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stopped.set()


def test_a_server_that_stops_answering_while_one_connects_is_not_waited_for(settings):
    settings.LIVE_QUERY_TIMEOUT_SECONDS = 0.1
    with silent_server() as port:
        changed = {
            "HOST": "127.0.0.1",
            "PORT": port,
            "OPTIONS": {"sslmode": "disable", "gssencmode": "disable"},
        }
        lost = DatabaseWrapper(connection.settings_dict | changed, "default")
        with pytest.raises(OperationalError):
            lost.ensure_connection()


def test_an_error_of_one_connection_leaves_the_deadlines_of_others(monkeypatch, caplog):
    ended, left = threading.Event(), [1]

    def cut_or_fail(session: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise ValueError("broken")
        cut(session)
        ended.set()

    monkeypatch.setattr(deadlines, "cut", cut_or_fail)
    watch = deadlines._Deadlines()
    with closing(connection.copy()) as first, closing(connection.copy()) as second:
        first.connect()
        second.connect()
        watch.add(first, 0.0)
        watch.add(second, 0.0)
        assert ended.wait(60)
    assert "deadlines: a connection can't be ended" in caplog.text


def test_a_table_that_is_missing_turns_viewers_away_only_if_users_can_not_be_looked_up_without_it(
    monkeypatch,
):
    monkeypatch.setattr(database, "is_serving", lambda: True)

    def read(table: str) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {table}")

    with pytest.raises(database.UsersUnavailableError):
        read("nowhere.django_session")
    with pytest.raises(ProgrammingError):
        read("nowhere.axes_accessattempt")


def no_thread(self: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_an_outage_that_no_thread_can_end_does_not_begin(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        database.report(OperationalError("lost"))
        watch = deadlines._Deadlines()
        watch.remove(watch.add(connection, 60))
    database.check_available()
    # The next one has a thread again.
    watch.add(connection.copy(), 60)
    assert watch._thread is not None


def test_the_listener_for_logouts_survives_any_exception(monkeypatch):
    left, heard = [2], threading.Event()

    def listen(self: notices.NoticeListener) -> None:
        if left[0]:
            left[0] -= 1
            raise ValueError("broken")
        heard.set()
        self.stop()

    monkeypatch.setattr(notices.NoticeListener, "_listen", listen)
    listener = notices.NoticeListener(lambda *_: None, outages.Outage("test", "listen", 0.01))
    listener.start()
    assert heard.wait(60)
    listener.join(60)

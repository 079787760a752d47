"""An unreachable or lost server raises OperationalError with the driver's message."""

from __future__ import annotations

import signal
import socket
import tempfile
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import OperationalError

from django_risingwave import embedded as standin_server
from django_risingwave.base import DatabaseWrapper
from tests.processes import DEADLINE_SECONDS, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def elsewhere(standin: DatabaseWrapper) -> Iterator[Callable[..., DatabaseWrapper]]:
    """Return a function that connects with other settings, to another server or database."""
    opened = []

    def connect(**settings: Any) -> DatabaseWrapper:
        options = standin.settings_dict["OPTIONS"] | settings.pop("OPTIONS", {})
        other = DatabaseWrapper(standin.settings_dict | settings | {"OPTIONS": options}, alias="elsewhere")
        opened.append(other)
        return other

    yield connect
    for other in opened:
        other.close()


@pytest.fixture
def own_server() -> Iterator[Path]:
    """The folder of a stand-in of the test's own, which it may stop and change."""
    with tempfile.TemporaryDirectory(prefix="standin-") as name:
        folder = Path(name) / "postgres"
        standin_server.start(folder, ["risingwave"])
        try:
            yield folder
        finally:
            standin_server.remove(folder)


def select_one(connection: DatabaseWrapper) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()


def test_a_server_that_dies_raises_operational_error_and_is_reconnected(
    elsewhere: Callable[..., DatabaseWrapper], own_server: Path
) -> None:
    connection = elsewhere(HOST=str(own_server), NAME="risingwave", OPTIONS={"host": str(own_server)})
    assert select_one(connection) == (1,)
    server = standin_server.find_process(own_server)
    assert server
    # An immediate shutdown doesn't notify clients before their next query.
    # https://www.postgresql.org/docs/18/server-shutdown.html
    server.send_signal(signal.SIGQUIT)
    server.wait(DEADLINE_SECONDS)
    with pytest.raises(OperationalError) as caught:
        select_one(connection)
    assert isinstance(caught.value.__cause__, connection.Database.Error)
    assert str(caught.value) == str(caught.value.__cause__)
    assert connection.errors_occurred
    # As at the end of each request.
    connection.close_if_unusable_or_obsolete()
    assert connection.connection is None
    with pytest.raises(OperationalError, match="No such file or directory"):
        select_one(connection)
    standin_server.start(own_server)
    assert select_one(connection) == (1,)


def test_a_wrong_password_is_named_in_the_error(
    elsewhere: Callable[..., DatabaseWrapper], own_server: Path
) -> None:
    address = {"HOST": str(own_server), "NAME": "risingwave", "OPTIONS": {"host": str(own_server)}}
    with elsewhere(**address).cursor() as cursor:
        cursor.execute("CREATE USER reader WITH PASSWORD 'right'")
        (own_server / "pg_hba.conf").write_text("local all reader scram-sha-256\nlocal all all trust\n")
        cursor.execute("SELECT pg_reload_conf()")
    assert select_one(elsewhere(**address, USER="reader", PASSWORD="right")) == (1,)
    for password, text in (("wrong", "password authentication failed"), ("", "no password supplied")):
        with pytest.raises(OperationalError, match=text):
            select_one(elsewhere(**address, USER="reader", PASSWORD=password))


def test_a_missing_database_role_or_server_is_named_in_the_error(
    elsewhere: Callable[..., DatabaseWrapper],
) -> None:
    with pytest.raises(OperationalError, match='database "nowhere" does not exist'):
        select_one(elsewhere(NAME="nowhere"))
    with pytest.raises(OperationalError, match='role "nobody" does not exist'):
        select_one(elsewhere(USER="nobody"))
    address = {"HOST": "127.0.0.1", "PORT": free_port(), "OPTIONS": {"host": "127.0.0.1"}}
    with pytest.raises(OperationalError, match="Connection refused"):
        select_one(elsewhere(**address))


def test_a_cancelled_query_raises_operational_error(
    standin: DatabaseWrapper, connect: Callable[[], Any]
) -> None:
    with standin.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    other = connect()
    other.autocommit = True

    def cancelled() -> bool:
        with other.cursor() as cursor:
            cursor.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                " WHERE pid = %s AND wait_event = 'PgSleep'",
                [backend],
            )
            return cursor.fetchone() is not None

    thread = threading.Thread(target=wait_until, args=(cancelled,))
    thread.start()
    try:
        with pytest.raises(OperationalError, match="user request"), standin.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")
    finally:
        thread.join()
    assert select_one(standin) == (1,)


@contextmanager
def over_tcp(folder: str, greeting: bytes = b"") -> Iterator[int]:
    """Serve the server whose socket is in `folder` at a port of 127.0.0.1.

    It answers by itself, with `greeting`, to a client that asks whether there is TLS:
    https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-SSL
    """

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(f"{folder}/.s.PGSQL.5432")
                sockets.extend((client, server))
                if greeting:
                    client.recv(8)
                    client.sendall(greeting)
                for pair in ((client, server), (server, client)):
                    threads.append(threading.Thread(target=pump, args=pair))
                    threads[-1].start()

    sockets: list[socket.socket] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threads = [threading.Thread(target=serve)]
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            threads[0].join()
            for used in sockets:
                with suppress(OSError):
                    used.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
            for used in sockets:
                used.close()


def tls(elsewhere: Callable[..., DatabaseWrapper], port: int, **options: Any) -> DatabaseWrapper:
    return elsewhere(HOST="127.0.0.1", PORT=port, OPTIONS={"host": "127.0.0.1", **options})


def test_tls_options_are_passed_to_libpq(
    standin: DatabaseWrapper, elsewhere: Callable[..., DatabaseWrapper], tmp_path: Path
) -> None:
    folder = standin.settings_dict["HOST"] or standin.settings_dict["OPTIONS"]["host"]
    with over_tcp(folder) as port:
        for mode in ("disable", "prefer"):
            connection = tls(elsewhere, port, sslmode=mode)
            assert select_one(connection) == (1,)
            connection.close()
        for mode in ("require", "verify-full"):
            with pytest.raises(OperationalError, match="server does not support SSL, but SSL was required"):
                select_one(tls(elsewhere, port, sslmode=mode))
        with pytest.raises(OperationalError, match='invalid sslmode value: "sometimes"'):
            select_one(tls(elsewhere, port, sslmode="sometimes"))
    missing = tmp_path / "root.crt"
    with (
        over_tcp(folder, greeting=b"S") as port,
        pytest.raises(OperationalError, match=f'root certificate file "{missing}" does not exist'),
    ):
        select_one(tls(elsewhere, port, sslmode="verify-full", sslrootcert=str(missing)))

"""What live.servers.daphne relies on in Daphne, Autobahn and Twisted."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest
from autobahn.websocket.protocol import WebSocketProtocol
from websockets.sync.client import connect

from tests import processes
from tests.conftest import BOTH
from tests.live.servers.conftest import port_of

pytestmark = BOTH


@pytest.mark.parametrize(("kind", "transport"), [("daphne", "DaphneTransport"), ("uvicorn", "ASGITransport")])
def test_the_server_is_recognized_behind_middleware(kind, transport, site_environment, tmp_path):
    """Daphne that isn't recognized would buffer without limit."""
    pytest.importorskip(kind)
    application = "tests.live.servers.described:application"
    with (
        getattr(processes, kind)(site_environment, tmp_path / "log", application=application) as site,
        connect(site.socket_url) as reader,
    ):
        assert reader.recv(timeout=60) == transport


def test_uvicorn_is_recognized_where_daphne_is_imported(site_environment, tmp_path):
    pytest.importorskip("uvicorn")
    (tmp_path / "imports_daphne.py").write_text(
        "import daphne.server\nfrom tests.live.servers.described import application\n"
    )
    environment = site_environment | {"PYTHONPATH": str(tmp_path)}
    with (
        processes.uvicorn(environment, tmp_path / "log", application="imports_daphne:application") as site,
        connect(site.socket_url) as reader,
    ):
        assert reader.recv(timeout=60) == "ASGITransport"


def test_a_hub_changes_neither_the_reactor_nor_the_open_files_limit():
    program = """
import asyncio, resource
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "live"])
django.setup()
resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
import daphne.server
from twisted.internet import reactor
stop, triggers = reactor.stop, repr(reactor._eventTriggers)
from live.hub import Hub, get_hub
async def use():
    return Hub(), get_hub()
asyncio.run(use())
assert reactor.stop == stop
assert repr(reactor._eventTriggers) == triggers
assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 100
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_first_connection_raises_the_open_files_limit(site_environment, tmp_path):
    (tmp_path / "few_files.py").write_text(
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "from config.asgi import application\n"
    )
    environment = site_environment | {"PYTHONPATH": str(tmp_path)}
    with processes.daphne(environment, tmp_path / "log", application="few_files:application") as site:
        readers = [connect(site.socket_url + "?format=json") for _ in range(80)]
        for reader in readers:
            assert "hello" in str(reader.recv(timeout=60))
            reader.close()


def test_daphne_has_neither_lifespan_nor_graceful_shutdown(site_environment, tmp_path):
    """If it gets them, DaphneServer can go."""
    application = "tests.live.servers.described:bare"
    with processes.daphne(site_environment, tmp_path / "log", application=application) as site:
        with socket.create_connection(("127.0.0.1", port_of(site)), 60) as request:
            before = site.log.read_text().count("scope http")
            request.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            processes.wait_until(lambda: site.log.read_text().count("scope http") > before)
            site.process.send_signal(signal.SIGTERM)
            assert request.recv(4096) == b""
        site.process.wait(60)
        log = site.log.read_text()
    assert "request cancelled" in log
    assert "scope lifespan" not in log


def test_autobahn_refuses_to_close_with_1012():
    """If it doesn't, DaphneTransport.close can call sendClose."""
    protocol = WebSocketProtocol()
    with pytest.raises(Exception, match="1012"):
        protocol.sendClose(code=1012)


def test_twisted_buffers_in_two_attributes_and_autobahn_sends_with_one_method():
    """DaphneTransport asks for both buffers before it writes to the socket, and replaces the method."""
    program = """
import socket
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import reactor
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
ours, theirs = socket.socketpair()
ours.setblocking(False)
connection = Connection(ours, Protocol(), reactor)
connection.connected = True
assert (connection.dataBuffer, connection._tempDataLen) == (b"", 0)
connection.write(b"x" * 10_000_000)
assert (connection.dataBuffer, connection._tempDataLen) == (b"", 10_000_000)
connection.doWrite()
assert connection._tempDataLen == 0
assert len(connection.dataBuffer) == 10_000_000
protocol = WebSocketProtocol()
sent = []
protocol.sendData = lambda data, *args, **options: sent.append(data)
protocol.factory = type("Factory", (), {"isServer": True, "maskServerFrames": False, "_batched_timer": None})
protocol.state = protocol.STATE_OPEN
protocol.logOctets = protocol.logFrames = False
protocol.maskServerFrames = protocol.applyMask = False
protocol.trafficStats = __import__("autobahn.websocket.protocol", fromlist=[""]).TrafficStats()
protocol.sendFrame(opcode=10, payload=b"pong")
assert b"".join(sent) == b"\\x8a\\x04pong"
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_prepared_message_is_a_frame_of_rfc_6455():
    from live.servers.daphne_transport import frame

    assert frame("é", False) == b"\x81\x02\xc3\xa9"
    assert frame("x" * 126, False) == b"\x81\x7e\x00\x7e" + b"x" * 126
    assert frame("x" * 65_536, False) == b"\x81\x7f" + (65_536).to_bytes(8, "big") + b"x" * 65_536

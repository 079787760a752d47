from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from django.db import connections

from tests import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.processes import Server

STATES_PATH = "/ws/rankings/?format=json&rankings=states-by-turnover"
#: A busy machine may need more than the default 4 s. A shutdown that hangs takes all of this time.
PATIENCE = processes.changed(LIVE_QUERY_TIMEOUT_SECONDS=40, LIVE_DRAIN_SECONDS=50, LIVE_SHUTDOWN_SECONDS=55)
#: Makes frames so large that the kernel buffers only a few.
LONG_NAME = "A state with a long name ".ljust(200_000, ".")
HANDSHAKE = (
    f"GET {STATES_PATH} HTTP/1.1\r\nHost: {{host}}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


@pytest.fixture(params=["daphne", "uvicorn"])
def kind(request: pytest.FixtureRequest) -> str:
    """Daphne, which `live` knows, and uvicorn, which stands for all other ASGI servers."""
    pytest.importorskip(request.param)
    name: str = request.param
    return name


@pytest.fixture
def own_server(kind: str, site_environment: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    """A server of this test's own, whose memory or shutdown is the subject."""
    with getattr(processes, kind)(site_environment | PATIENCE, tmp_path / "log") as running:
        yield running


@pytest.fixture
def insert_large(orders: Callable[..., None]) -> Callable[[], None]:
    """Insert one more order of a state whose name is longer than the model allows."""

    def insert() -> None:
        with connections["risingwave"].cursor() as cursor:
            cursor.execute(
                "INSERT INTO orders (orderid, itemid, qty, price, state) VALUES (1, 1, 1, 1, %s)", [LONG_NAME]
            )

    return insert


def port_of(server: Server) -> int:
    return int(server.host.split(":")[1])


def stalled_reader(server: Server) -> socket.socket:
    """Subscribe and never read."""
    stalled = socket.socket()
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled.connect(("127.0.0.1", port_of(server)))
    stalled.sendall(HANDSHAKE.format(host=server.host).encode())
    return stalled

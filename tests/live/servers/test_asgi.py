"""The transport of any ASGI server, on sends that wait and sends that don't."""

from __future__ import annotations

import asyncio
import tomllib
from typing import Any

import pytest

from live.protocol import CloseCode
from live.servers.asgi import ASGIServer, ASGITransport
from tests.processes import ROOT


class Client:
    """Has an ASGI `send` that waits for `reads`."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.events: list[dict[str, Any]] = []
        self.resumed = 0
        self.cancelled = False

    async def send(self, event: dict[str, Any]) -> None:
        try:
            await self.reads.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        self.events.append(event)

    def on_resume(self) -> None:
        self.resumed += 1

    @property
    def received(self) -> list[Any]:
        return [event.get("text", event.get("code")) for event in self.events]


def connected(client: Client) -> ASGITransport:
    transport = ASGIServer().transport(client.send)
    assert isinstance(transport, ASGITransport)
    transport.start(client.on_resume, lambda: None)
    return transport


async def all_tasks_done() -> None:
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


async def test_a_send_that_does_not_wait_costs_no_task():
    client = Client()
    transport = connected(client)
    client.reads.set()
    before = asyncio.all_tasks()
    assert transport.write("a")
    assert transport.write("b")
    assert asyncio.all_tasks() == before
    assert client.received == ["a", "b"]


async def test_messages_are_refused_while_a_send_waits():
    client = Client()
    transport = connected(client)
    assert transport.write("a")
    assert not transport.write("b")
    assert client.resumed == 0
    client.reads.set()
    await all_tasks_done()
    await asyncio.sleep(0)
    assert client.resumed == 1
    assert transport.write("b")
    assert client.received == ["a", "b"]


async def test_a_close_follows_the_send_that_waits():
    client = Client()
    transport = connected(client)
    transport.write("a")
    transport.close("last", CloseCode.FORBIDDEN, "reason")
    assert transport.write("ignored")
    client.reads.set()
    await all_tasks_done()
    await asyncio.sleep(0)
    assert client.received == ["a", "last", 4403]


async def test_an_abort_cancels_the_send_that_waits():
    client = Client()
    transport = connected(client)
    transport.write("a")
    await asyncio.sleep(0)
    transport.abort()
    await all_tasks_done()
    await asyncio.sleep(0)
    assert client.cancelled
    assert client.received == []


@pytest.mark.parametrize("waits", [False, True])
async def test_a_lost_connection_raises_nothing(waits):
    async def send(_event: Any) -> None:
        if waits:
            await asyncio.sleep(0)
        raise RuntimeError("lost")

    transport = ASGIServer().transport(send)
    transport.start(lambda: None, lambda: None)
    assert transport.write("a")
    await all_tasks_done()
    await asyncio.sleep(0)
    assert transport.write("b")


def test_python_3_11_which_has_no_eager_tasks_is_supported():
    """If it isn't, ASGITransport can start its tasks eagerly."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"].startswith(">=3.11")

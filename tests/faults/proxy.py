"""A TCP proxy that fails as networks and servers do, in a process of its own.

`Proxy` controls the process by lines on its stdin; the process confirms each by a line on its stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from benchmarks.ports import free_port

if TYPE_CHECKING:
    from types import TracebackType

HOST = "127.0.0.1"
#: Bytes that are forwarded at a time.
CHUNK_BYTES = 65_536
#: Connections that may wait to be accepted: thousands of viewers may reconnect at the same moment.
BACKLOG = 2048
#: A socket that is closed with this option sends a reset instead of an orderly end.
RESET = struct.pack("ii", 1, 0)


class Proxy:
    """A proxy to `target`, a port of this machine. Forwards everything until it is told otherwise."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, free_port()

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", __name__, str(self.port), str(self.target)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._confirmed()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def forward(self) -> None:
        """Forward everything without delay. Connections that were swallowed stay dead."""
        self._tell("forward")

    def refuse(self) -> None:
        """Refuse new connections and reset the open ones, as if nothing listened there."""
        self._tell("refuse")

    def stop_accepting(self) -> None:
        """Let new connections wait in the backlog without an answer; forward the open ones."""
        self._tell("stop_accepting")

    def freeze(self) -> None:
        """Forward nothing and read nothing. What was sent meanwhile arrives when it forwards again."""
        self._tell("freeze")

    def swallow(self) -> None:
        """Take what is sent and drop it, for ever on connections that are open or opened meanwhile."""
        self._tell("swallow")

    def slow(self, *, delay: float = 0.0, bytes_per_second: float = float("inf")) -> None:
        """Forward each chunk after a delay in seconds, and no more than a number of bytes per second."""
        self._tell(f"slow {delay} {bytes_per_second}")

    def reset(self) -> None:
        """Reset the open connections once. New ones are treated as before."""
        self._tell("reset")

    def connections(self) -> int:
        """Return the number of open connections."""
        return int(self._tell("connections"))

    def _tell(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._confirmed()

    def _confirmed(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "The proxy has ended. Its error is above."
        return line.strip()


@dataclass(eq=False)
class Pair:
    """A client's connection and the one to the target."""

    client: asyncio.StreamWriter
    target: asyncio.StreamWriter
    is_swallowed: bool = False

    def reset(self) -> None:
        for writer in (self.client, self.target):
            connected: socket.socket = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


class Forwarding:
    """The proxy in its process. Each method whose name is a command handles it."""

    def __init__(self, port: int, target: int) -> None:
        self.port, self.target_port = port, target
        self.pairs: set[Pair] = set()
        self.server: asyncio.Server | None = None
        #: Listens while nobody accepts.
        self.deaf: socket.socket | None = None
        self.delay, self.bytes_per_second = 0.0, float("inf")
        self.is_swallowing = self.is_refusing = False
        #: Cleared while nothing is forwarded.
        self.flows = asyncio.Event()
        self.flows.set()

    async def forward(self) -> None:
        self.delay, self.bytes_per_second = 0.0, float("inf")
        self.is_swallowing = self.is_refusing = False
        self.flows.set()
        if self.server is None:
            self.unlisten()
            self.server = await asyncio.start_server(self.serve, HOST, self.port, backlog=BACKLOG)

    async def refuse(self) -> None:
        self.is_refusing = True
        self.unlisten()
        await self.reset()

    async def stop_accepting(self) -> None:
        self.unlisten()
        self.deaf = socket.create_server((HOST, self.port), backlog=BACKLOG)

    def unlisten(self) -> None:
        for listening in (self.server, self.deaf):
            if listening is not None:
                listening.close()
        self.server = self.deaf = None

    async def freeze(self) -> None:
        self.flows.clear()

    async def swallow(self) -> None:
        self.is_swallowing = True
        for pair in self.pairs:
            pair.is_swallowed = True

    async def slow(self, delay: str, bytes_per_second: str) -> None:
        self.delay, self.bytes_per_second = float(delay), float(bytes_per_second)

    async def reset(self) -> None:
        for pair in tuple(self.pairs):
            pair.reset()

    async def connections(self) -> int:
        return len(self.pairs)

    async def serve(self, from_client: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            from_target, target = await asyncio.open_connection(HOST, self.target_port)
        except OSError:
            client.transport.abort()
            return
        pair = Pair(client, target, self.is_swallowing)
        if self.is_refusing:
            pair.reset()
            return
        self.pairs.add(pair)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.pump(pair, from_client, target))
                group.create_task(self.pump(pair, from_target, client))
        except* OSError:
            pass
        finally:
            self.pairs.discard(pair)
            for writer in (client, target):
                writer.close()

    async def pump(self, pair: Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one direction until its end. Raises OSError if the connection breaks."""
        while data := await self.read(pair, reader):
            await self.flows.wait()
            if pair.is_swallowed:
                continue
            if self.delay or self.bytes_per_second < float("inf"):
                await asyncio.sleep(self.delay + len(data) / self.bytes_per_second)
            writer.write(data)
            await writer.drain()
        await self.flows.wait()
        if pair.is_swallowed:
            await asyncio.Event().wait()  # The end is swallowed too: the other side never hears of it.
        if writer.can_write_eof():
            writer.write_eof()

    async def read(self, pair: Pair, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read(CHUNK_BYTES)
        except OSError:
            if pair.is_swallowed:
                return b""
            raise

    async def run(self) -> None:
        """Obey the lines on stdin until it ends."""
        await self.forward()
        _say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            command, *arguments = line.split()
            answer = await getattr(self, command)(*arguments)
            _say("done" if answer is None else answer)


def _say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("target", type=int)
    given = parser.parse_args()
    asyncio.run(Forwarding(given.port, given.target).run())

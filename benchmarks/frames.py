"""Measure what a viewer receives while orders come, plain and compressed: python -m benchmarks.frames.

Bytes are those of the TCP connection, frame headers included. Movement and sparklines are in them: the first
orders are spread over ten days, and the history is filled, as make demo does.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import django

from benchmarks.processes import ROOT, Server, daphne
from benchmarks.standin import migrated_standin, prepare_site

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How long orders are inserted while bytes are counted, and how many in a second: as many as make demo does.
SECONDS, ORDERS_PER_SECOND = 60, 20
#: Until the generator has started, and subscribers have their snapshots.
WARM_UP_SECONDS = 10
HANDSHAKE = (
    "GET /ws/rankings/?format={form} HTTP/1.1\r\nHost: {host}\r\nOrigin: {url}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
    "{extensions}\r\n"
)
#: What Chromium offers.
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
#: The first byte of a frame with a compressed text. https://www.rfc-editor.org/rfc/rfc7692#section-6
COMPRESSED = 0xC1


class Reader(threading.Thread):
    """Receives what one subscriber gets."""

    def __init__(self, site: Server, form: str, extensions: str) -> None:
        super().__init__(daemon=True)
        host, port = site.host.split(":")
        self._socket = socket.create_connection((host, int(port)))
        handshake = HANDSHAKE.format(form=form, host=site.host, url=site.url, extensions=extensions)
        self._socket.sendall(handshake.encode())
        self.data = b""

    def run(self) -> None:
        with suppress(ConnectionResetError):  # At the end of the server.
            while received := self._socket.recv(65_536):
                self.data += received


def frames(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield the size of each whole frame, and its message: RFC 6455, 5.2."""
    at = 0
    while at + 4 <= len(data):
        length, begin = data[at + 1], at + 2
        if length >= 126:
            begin += 2 if length == 126 else 8
            length = int.from_bytes(data[at + 2 : begin], "big")
        end = begin + length
        if end > len(data):
            return
        message = data[begin:end]
        if data[at] == COMPRESSED:
            message = zlib.decompressobj(wbits=-15).decompress(message)
        yield end - at, message.decode(errors="replace")
        at = end


def is_change(message: str) -> bool:
    """Tell whether a message is a card or an update, not a ping or sparklines."""
    return not message.startswith("{") or message.startswith('{"type":"update"')


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, migrated_standin():
        prepare_site(Path(folder))
        django.setup()
        from demo.first_orders import insert_first_orders  # noqa: PLC0415 - its models need django.setup()

        insert_first_orders()
        orders = [sys.executable, "manage.py", "generate_orders", "--verbosity", "0", "--rate"]
        with daphne({}, Path(folder) / "log") as site:
            kinds = [(form, offer) for form in ("html", "json") for offer in ("", DEFLATE)]
            readers = [Reader(site, *kind) for kind in kinds]
            for reader in readers:
                reader.start()
            with subprocess.Popen([*orders, str(ORDERS_PER_SECOND)], cwd=ROOT) as generator:
                time.sleep(WARM_UP_SECONDS)
                before = [len(reader.data) for reader in readers]
                time.sleep(SECONDS)
                received = [reader.data[begin:] for reader, begin in zip(readers, before, strict=True)]
                generator.terminate()
            whole = [reader.data.partition(b"\r\n\r\n")[2] for reader in readers]
        print("| a viewer of all rankings | changes/s | bytes a change | kB/s |")
        print("|---|---:|---:|---:|")
        for (form, offer), data, all_data in zip(kinds, received, whole, strict=True):
            sizes = [size for size, message in frames(all_data) if is_change(message)]
            seconds = SECONDS + WARM_UP_SECONDS
            print(
                f"| `format={form}`, {'compressed' if offer else 'plain'} | {len(sizes) / seconds:.1f}"
                f" | {sum(sizes) / len(sizes):,.0f} | {len(data) / SECONDS / 1000:.1f} |"
            )


if __name__ == "__main__":
    main()

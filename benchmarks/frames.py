"""Measure the size of a change on the wire, as it is and compressed: python -m benchmarks.frames.

Compressed means as WebSocket's permessage-deflate sends it, with a window that is kept from frame to frame
(RFC 7692). uvicorn offers that; Daphne doesn't.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

from websockets.sync.client import connect

from benchmarks.processes import ROOT, Server, daphne
from benchmarks.standin import migrated_standin, prepare_site

#: How long orders are inserted, and how many in a second.
SECONDS, ORDERS_PER_SECOND = 10, 500
#: The first frames are the four snapshots that a subscriber starts with, not changes.
SNAPSHOTS = 4
#: Bytes at the end of a compressed message that aren't sent. https://www.rfc-editor.org/rfc/rfc7692#section-7.2.1
SYNC_FLUSH_TAIL = 4


def receive(site: Server, form: str) -> list[bytes]:
    """Return the frames that a subscriber receives while orders come, without hellos and pings."""
    orders = [sys.executable, "manage.py", "generate_orders", "--verbosity", "0"]
    limits = ["--rate", str(ORDERS_PER_SECOND), "--count", str(SECONDS * ORDERS_PER_SECOND)]
    received = []
    with (
        connect(f"{site.socket_url}?format={form}", origin=site.url) as socket,  # type: ignore[arg-type]
        subprocess.Popen([*orders, *limits], cwd=ROOT),
    ):
        until = time.monotonic() + SECONDS
        while (left := until - time.monotonic()) > 0:
            try:
                message = socket.recv(left, decode=False)
            except TimeoutError:
                break
            if not message.startswith((b'{"type":"hello"', b'{"type":"ping"')):
                received.append(message)
    return received


def compressed_sizes(messages: list[bytes]) -> list[int]:
    """Return the compressed size of each message, sent after those before it."""
    # uvicorn's default: a window of 4 KiB.
    compressor = zlib.compressobj(wbits=-12)
    return [
        len(compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)) - SYNC_FLUSH_TAIL
        for message in messages
    ]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, migrated_standin():
        prepare_site(Path(folder), orders=100_000)
        with daphne({}, Path(folder) / "log") as site:
            print("| a frame, bytes | n | uncompressed | compressed |")
            print("|---|---:|---:|---:|")
            for form in ("json", "html"):
                messages = receive(site, form)
                sizes = [len(message) for message in messages[SNAPSHOTS:]]
                size = statistics.mean(sizes)
                compressed = statistics.mean(compressed_sizes(messages)[SNAPSHOTS:])
                print(f"| `format={form}` | {len(sizes)} | {size:,.0f} | {compressed:,.0f} |", flush=True)


if __name__ == "__main__":
    main()

"""What a change of a ranking weighs on the wire, as it is and deflated: python -m benchmarks.frames.

Deflated is what WebSocket's permessage-deflate would send, its window kept from frame to frame (RFC 7692).
Daphne doesn't offer it; uvicorn does.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

from websockets.sync.client import connect

from benchmarks.processes import Server, daphne
from benchmarks.server import ROOT, manage, migrated_standin

#: Seconds of orders, and how many come in one.
SECONDS, RATE = 10, 500


def frames(site: Server, form: str) -> list[bytes]:
    """Give what a subscriber gets while orders come, but for greetings and pings."""
    orders = [sys.executable, "manage.py", "generate_orders", "--rate", str(RATE), "--verbosity", "0"]
    got = []
    with (
        connect(f"{site.socket_url}?format={form}", origin=site.url) as socket,  # type: ignore[arg-type]
        subprocess.Popen([*orders, "--count", str(SECONDS * RATE)], cwd=ROOT),
    ):
        until = time.monotonic() + SECONDS
        while (left := until - time.monotonic()) > 0:
            try:
                message = socket.recv(left, decode=False)
            except TimeoutError:
                break
            if not message.startswith((b'{"type":"hello"', b'{"type":"ping"')):
                got.append(message)
    return got


def deflated(messages: list[bytes]) -> list[int]:
    """Give the size of each as sent after those before it."""
    # As uvicorn's default: a window of 4 KiB. https://www.rfc-editor.org/rfc/rfc7692
    compressor = zlib.compressobj(wbits=-12)
    sync_flush_tail = 4
    return [
        len(compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)) - sync_flush_tail
        for message in messages
    ]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, migrated_standin():
        environment = {"LIVE_OPEN": "true", "STATIC_ROOT": f"{folder}/static"}
        os.environ |= environment
        manage("migrate", "--verbosity", "0")
        manage("collectstatic", "--no-input", "--verbosity", "0")
        manage("generate_orders", "--count", "100000", "--seed", "1", "--verbosity", "0")
        with daphne(environment, Path(folder) / "log") as site:
            print("| a frame, bytes | n | as it is | deflated |")
            print("|---|---:|---:|---:|")
            for form in ("json", "html"):
                got = frames(site, form)
                size, small = (
                    statistics.mean(map(len, got[4:])),
                    statistics.mean(deflated(got)[4:]),
                )
                print(f"| `format={form}` | {len(got) - 4} | {size:,.0f} | {small:,.0f} |", flush=True)


if __name__ == "__main__":
    main()

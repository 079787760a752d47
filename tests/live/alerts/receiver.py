"""A receiver of webhooks: a real HTTP server that keeps what it gets."""

from __future__ import annotations

import http.server
import json
import queue
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Receiver:
    """What it has got, and how it answers."""

    port: int = 0
    #: The statuses of its next answers; then 204. None: it answers when `released` is set.
    statuses: list[int | None] = field(default_factory=list)
    requests: queue.Queue[tuple[str, Any, bytes]] = field(default_factory=queue.Queue)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/s3cret-token?a=1"

    def get(self) -> tuple[str, Any, dict[str, Any]]:
        """Wait for the next request. Return its path, its headers and its JSON."""
        path, headers, body = self.requests.get(timeout=60)
        return path, headers, json.loads(body)


@contextmanager
def receiver() -> Iterator[Receiver]:
    running = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            running.requests.put((self.path, self.headers, body))
            status = running.statuses.pop(0) if running.statuses else 204
            if status is None:
                running.released.wait(60)
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"http://127.0.0.1:{running.port}/elsewhere")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - http.server calls it so

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        running.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield running
        running.released.set()
        server.shutdown()

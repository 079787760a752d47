"""Real servers for the tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper

#: The browser, if there is one.
CHROMIUM = next(
    filter(
        None,
        map(
            shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
        ),
    ),
    None,
)
#: Debian has it where not everybody looks.
NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Server:
    """A process that serves the project."""

    host: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def socket_url(self) -> str:
        return f"ws://{self.host}/ws/rankings/"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def database_url(connection: BaseDatabaseWrapper) -> str:
    """The URL of the database that `connection` is connected to: a test database, in the tests."""
    settings = connection.settings_dict
    options = {name: value for name, value in settings["OPTIONS"].items() if name != "implicit_flush"}
    user = ":".join(quote(settings[part]) for part in ("USER", "PASSWORD") if settings[part])
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    return f"postgres://{user}@{settings['HOST']}{port}/{settings['NAME']}?{urlencode(options)}"


#: How each server is started: as docs/settings.md says.
DAPHNE = (
    *("daphne", "--endpoint", "tcp:{port}:interface=127.0.0.1:backlog=2048", "--websocket_timeout", "-1"),
    *("--websocket-max-message-size", "4096", "--websocket-max-frame-size", "4096"),
)
UVICORN = (
    *("uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--ws-max-size", "4096", "--no-access-log"),
    *("--ws-per-message-deflate", "false", "--timeout-graceful-shutdown", "3"),
)


@contextmanager
def serve(
    command: tuple[str, ...],
    environment: dict[str, str],
    log: Path,
    port: int | None = None,
    application: str = "config.asgi:application",
) -> Iterator[Server]:
    """Run a server until the block ends; it answers when the block begins."""
    port = port or free_port()
    arguments = [argument.format(port=port) for argument in command]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments, application],
            cwd=ROOT,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"127.0.0.1:{port}", process, log)
    try:
        wait_until(lambda: answers(server), log.read_text)
        yield server
    finally:
        process.terminate()
        process.wait(10)


daphne = partial(serve, DAPHNE)
uvicorn = partial(serve, UVICORN)


def answers(server: Server) -> bool:
    assert server.process.poll() is None, server.log.read_text()
    try:
        with urllib.request.urlopen(f"{server.url}/healthz/", timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def wait_until(condition, explain=lambda: "", seconds: float = 60) -> None:
    """Wait for what must come; how soon it comes is for benchmarks."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s {explain()}"
        time.sleep(0.02)

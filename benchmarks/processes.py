"""Real servers of the site, for the benchmarks and the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
#: The path of the browser; None where none is installed.
CHROMIUM = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
ROOT = Path(__file__).resolve().parent.parent
#: When a wait is hopeless: what is waited for takes a second or two, and on a busy machine some time longer.
DEADLINE_SECONDS = 60


@dataclass
class Server:
    """A process that serves the site."""

    host: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def socket_url(self) -> str:
        return f"ws://{self.host}/ws/rankings/"


#: The command of each server, with the options that docs/settings.md recommends.
DAPHNE = (
    *("daphne", "--endpoint", "tcp:{port}:interface=127.0.0.1:backlog=2048", "--websocket_timeout", "-1"),
    *("--websocket-max-message-size", "4096", "--websocket-max-frame-size", "4096", "--verbosity", "0"),
    *("--http-timeout", "60"),
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
    prefix: tuple[str, ...] = (),
) -> Iterator[Server]:
    """Run a server for the duration of the block, which begins once the server answers.

    `prefix` is a command that runs it, such as ("prlimit", "--nofile=300").
    """
    port = port or free_port()
    arguments = [argument.format(port=port) for argument in command]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", *arguments, application],
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
        process.wait(DEADLINE_SECONDS)


daphne = partial(serve, DAPHNE)
uvicorn = partial(serve, UVICORN)


def answers(server: Server) -> bool:
    """Tell whether the server is up. Raises AssertionError with its log if it has exited."""
    assert server.process.poll() is None, server.log.read_text()
    try:
        with urllib.request.urlopen(f"{server.url}/healthz/", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def wait_until(
    condition: Callable[[], object],
    explain: Callable[[], str] = lambda: "",
    seconds: float = DEADLINE_SECONDS,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Wait until `condition` is true. Raises AssertionError with `explain()` after `seconds`."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"The condition is still false after {seconds} s. {explain()}"
        sleep(0.02)

"""Projects in fresh environments with the package installed."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from uv import find_uv_bin

from tests.processes import DEADLINE_SECONDS, ROOT, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Prefixes of variables that the tests set for themselves and that would change the project.
PREFIXES = ("DJANGO_", "PYTHON", "LIVE_", "DATABASE_URL", "RISINGWAVE_URL", "SECRET_KEY")


@dataclass
class Project:
    """A project in `folder`, run by the `python` of an environment of its own."""

    folder: Path
    python: Path
    environment: dict[str, str]

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py. Returns what it printed."""
        ended = subprocess.run(
            [self.python, "manage.py", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    @contextmanager
    def serve(self, *arguments: str) -> Iterator[str]:
        """Run a server on `{port}` until the block ends; it answers when the block begins. Yields its URL."""
        port = free_port()
        log = self.folder / "log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [self.python, *(argument.format(port=port) for argument in arguments)],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return bool(read(f"{url}/rankings/healthz/"))
            except OSError:
                return False

        try:
            wait_until(answers, log.read_text)
            yield url
        finally:
            process.terminate()
            process.wait(DEADLINE_SECONDS)


def environ() -> dict[str, str]:
    """Return the environment variables of the tests, without those that would change a project."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout into `folder`."""
    uv("build", "--wheel", "--out-dir", folder, ROOT)
    [wheel] = folder.glob("*.whl")
    return wheel


def create_environment(folder: Path, *arguments: object) -> Path:
    """Make an environment in `folder` and run `uv pip install` with the arguments. Returns its Python.

    Dependencies get their locked versions.
    """
    uv("venv", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    uv("pip", "install", "--python", python, "--constraint", ROOT / "requirements" / "demo.txt", *arguments)
    return python


def uv(*arguments: object) -> None:
    # tox requires hashes, and a wheel that has just been built has none.
    environment = os.environ | {"UV_REQUIRE_HASHES": "0"}
    command = [find_uv_bin(), *map(str, arguments)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr


def read(url: str) -> str:
    """Return the body of the response. Raises OSError without a server, or if the status isn't 2xx."""
    with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as answer:
        body: bytes = answer.read()
    return body.decode()

"""Runs `make demo` and manage.py as a user does, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import psutil
import psycopg2

from demo import postgres
from django_risingwave import embedded
from tests.processes import DEADLINE_SECONDS, ROOT, free_port, wait_until

if TYPE_CHECKING:
    from pathlib import Path

#: Variables of the tests' own servers or of the user's shell, which a demo of the tests must not inherit.
NOT_INHERITED = {
    *("ALLOWED_HOSTS", "DATABASE_URL", "DEMO_DIR", "DJANGO_SETTINGS_MODULE", "ENVIRONMENT_FILE"),
    *(
        "EXTRA_APPS",
        "GENERATE_RATE",
        "HOST",
        "LIVE_OPEN",
        "LIVE_USER_RANKINGS",
        "PORT",
        "RESET",
        "RISINGWAVE_URL",
    ),
    *("SECRET_KEY", "STATIC_ROOT"),
}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}


class Demo:
    """A `make demo` on the data in `folder`."""

    def __init__(self, folder: Path, *, arguments: str = "", **environment: str) -> None:
        self.folder = folder
        self.port = int(environment.setdefault("PORT", str(free_port())))
        self.log = folder.parent / f"log-{self.port}"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo", *arguments.split()],
                cwd=ROOT,
                env=ENVIRONMENT | {"DEMO_DIR": str(folder)} | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Like a shell: Ctrl-C goes to the process group.
                process_group=0,
            )

    def output(self) -> str:
        return self.log.read_text()

    def wait_until_up(self) -> Demo:
        wait_until(
            lambda: self.process.poll() is not None or "Press Ctrl-C" in self.output(), self.output, 180
        )
        assert self.process.poll() is None, self.output()
        return self

    def wait_for_end(self) -> int:
        return self.process.wait(120)

    def press_ctrl_c(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)
        return self.wait_for_end()

    def get(self, path: str) -> Any:
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as response:
            return response.read().decode()

    def answers(self) -> bool:
        """Whether the web server answers."""
        with suppress(OSError):
            return bool(self.get("/healthz/"))
        return False

    def postgres(self) -> psutil.Process:
        process = embedded.find_process(self.folder / "postgres")
        assert process
        return process

    def child(self, program: str) -> psutil.Process | None:
        for process in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if program in process.cmdline():
                    return process
        return None

    def all_processes(self) -> list[psutil.Process]:
        supervisor = psutil.Process(self.process.pid)
        postgres = self.postgres()
        return [
            supervisor,
            *supervisor.children(recursive=True),
            postgres,
            *postgres.children(recursive=True),
        ]

    def query(self, database: str, sql: str) -> Any:
        url = postgres.url(database, self.folder / "postgres")
        with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone() if cursor.description else None
            return row and row[0]

    def count_orders(self) -> int:
        return int(self.query("risingwave", "SELECT count(*) FROM orders"))


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def manage(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py as a user does beside the demo in `folder`."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=ENVIRONMENT | {"ENVIRONMENT_FILE": str(folder / "environment")} | environment,
        check=False,
        capture_output=True,
        text=True,
    )

"""Runs one program of the demo in a child process that the supervisor controls through stdin.

`python -m demo.child daphne …` loads the program, waits for a byte on stdin, and runs it. When stdin ends,
the supervisor is gone, even if it was killed: the program then stops PostgreSQL, and itself as if by SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
import threading


def daphne(arguments: list[str]) -> None:
    """Serve the dashboard."""
    from daphne.cli import CommandLineInterface  # type: ignore[import-untyped]  # noqa: PLC0415

    # Daphne imports the application by name. Importing what that imports does the work before the wait; the
    # application itself would begin to record the rankings, in databases that aren't prepared yet.
    from django.core.asgi import get_asgi_application  # noqa: PLC0415

    get_asgi_application()
    import config.urls  # noqa: F401, PLC0415
    import live.routing  # noqa: F401, PLC0415

    wait_for_supervisor()
    CommandLineInterface().run([*arguments, "config.asgi:application"])


def generate_orders(arguments: list[str]) -> None:
    """Insert orders."""
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    wait_for_supervisor()
    execute_from_command_line(["manage.py", "generate_orders", *arguments])


PROGRAMS = {program.__name__: program for program in (daphne, generate_orders)}


def wait_for_supervisor() -> None:
    """Wait until the supervisor releases this process; from then on, stop with the supervisor."""
    if not os.read(0, 1):
        stop_postgres()
        sys.exit()
    threading.Thread(target=stop_with_supervisor, daemon=True).start()


def stop_with_supervisor() -> None:
    """Wait until the supervisor is gone, then stop this process."""
    # Not sys.stdin: Python crashes at exit while a thread reads it.
    os.read(0, 1)
    stop_postgres()
    os.kill(os.getpid(), signal.SIGTERM)


def stop_postgres() -> None:
    """Stop the embedded PostgreSQL of this demo: a supervisor that was killed has left it running."""
    from demo import folder, postgres  # noqa: PLC0415 - only where it is needed
    from django_risingwave import embedded  # noqa: PLC0415 - as above

    used = {os.environ.get("DATABASE_URL"), os.environ.get("RISINGWAVE_URL")}
    process = embedded.find_process(folder.POSTGRES)
    if process and used.intersection(map(postgres.url, postgres.DATABASES)):
        # Fast shutdown: https://www.postgresql.org/docs/18/server-shutdown.html
        process.send_signal(signal.SIGINT)


if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](sys.argv[2:])

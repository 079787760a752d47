"""Runs one of the demo's programs: when the supervisor says so, and for no longer than the supervisor lives.

`python -m demo.child daphne …` loads the program, waits for a line on stdin, and runs it. The end of stdin
is the end of the supervisor, however it came about: then the program ends as if on SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
import threading


def daphne(arguments: list[str]) -> None:
    """Serve the dashboard."""
    from daphne.cli import CommandLineInterface  # type: ignore[import-untyped]  # noqa: PLC0415

    # Daphne imports it by name; this is before the wait.
    import config.asgi  # noqa: F401, PLC0415

    wait_for_supervisor()
    CommandLineInterface().run([*arguments, "config.asgi:application"])


def generate_orders(arguments: list[str]) -> None:
    """Insert orders."""
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    wait_for_supervisor()
    execute_from_command_line(["manage.py", "generate_orders", *arguments])


PROGRAMS = {program.__name__: program for program in (daphne, generate_orders)}


def wait_for_supervisor() -> None:
    """Wait until the supervisor lets this process run, and watch it from then on."""
    if not os.read(0, 1):
        sys.exit()
    threading.Thread(target=end_with_supervisor, daemon=True).start()


def end_with_supervisor() -> None:
    """Wait for the end of the supervisor."""
    # Not sys.stdin: a thread that reads it at exit makes Python crash.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    PROGRAMS[sys.argv[1]](sys.argv[2:])

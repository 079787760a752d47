"""The processes that `make demo` runs, and the signals that end it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

#: Ctrl-C, `kill`, and the terminal's window being closed.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds that a process gets to end by itself.
PATIENCE = 3


class Child:
    """A program of demo.child: loaded at once, running from `release()` on, for as long as this process."""

    def __init__(self, program: str, *arguments: str) -> None:
        stdin, self.supervision = os.pipe()
        # In a session of its own: Ctrl-C goes to the supervisor alone, which ends the others in order.
        self.process = subprocess.Popen(  # noqa: S603 - nothing but our own program and checked options
            [sys.executable, "-m", "demo.child", program, *arguments], stdin=stdin, start_new_session=True
        )
        os.close(stdin)

    def release(self) -> None:
        """Let it run. If it has ended already, `exit_code` tells."""
        with suppress(BrokenPipeError):
            os.write(self.supervision, b"\n")

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number if a signal ended it."""
        return self.process.poll()


def stop(children: Iterable[Child]) -> None:
    """End processes, all at the same time."""
    running = [child.process for child in children if child.exit_code is None]
    for process in running:
        process.terminate()
    until = time.monotonic() + PATIENCE
    for process in running:
        try:
            process.wait(max(until - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def end_on_signals() -> None:
    """Raise KeyboardInterrupt on the first signal to end; no further one disturbs the ending."""

    def end(signum: int, frame: FrameType | None) -> None:
        ignore_signals()
        raise KeyboardInterrupt

    for number in ENDING:
        signal.signal(number, end)


def ignore_signals() -> None:
    """End what has begun to end undisturbed."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def signals_held() -> Iterator[None]:
    """Put signals off until the end of the block, for the programs that run in it too: pg_ctl and initdb."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

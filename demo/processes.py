"""Child processes of the demo, and the signals that stop it."""

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

#: Ctrl-C, `kill`, and a closed terminal window.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds for children to stop in order, after which they are killed: nobody waits longer for a demo to end.
SHUTDOWN_SECONDS = 3
#: Restarts of a program that are tried within a span of seconds: enough for a few accidents.
MAX_RESTARTS, RESTARTS_SECONDS = 3, 60


class Restarts:
    """Counts how often a program was restarted: one that stops again and again must not go on for ever."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def allow(self) -> bool:
        """Count a restart. Return whether there were few enough of them lately."""
        now = time.monotonic()
        self._times = [at for at in self._times if now - at < RESTARTS_SECONDS] + [now]
        return len(self._times) <= MAX_RESTARTS


class Child:
    """A program of demo.child: loads at once, runs after `release()`, and stops with this process."""

    def __init__(self, program: str, *arguments: str) -> None:
        stdin, self.supervision = os.pipe()
        # A session of its own: Ctrl-C reaches only the supervisor, which stops the others in order.
        self.process = subprocess.Popen(  # noqa: S603 - nothing but our own program and checked options
            [sys.executable, "-m", "demo.child", program, *arguments], stdin=stdin, start_new_session=True
        )
        os.close(stdin)

    def release(self) -> None:
        """Let the program run. If it has stopped already, `exit_code` says so."""
        with suppress(BrokenPipeError):
            os.write(self.supervision, b"\n")

    @property
    def exit_code(self) -> int | None:
        """None while it runs; the negative signal number if a signal ended it."""
        return self.process.poll()


def stop(children: Iterable[Child]) -> None:
    """Stop all children at the same time."""
    running = [child.process for child in children if child.exit_code is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + SHUTDOWN_SECONDS
    for process in running:
        try:
            process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def interrupt_on_signals() -> None:
    """Raise KeyboardInterrupt on the first stop signal; ignore later ones, so that cleaning up goes on."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        ignore_signals()
        raise KeyboardInterrupt

    for number in STOP_SIGNALS:
        signal.signal(number, interrupt)


def ignore_signals() -> None:
    """Ignore the stop signals while the demo cleans up."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def hold_signals() -> Iterator[None]:
    """Delay stop signals until the end of the block, for child processes such as initdb and pg_ctl too."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

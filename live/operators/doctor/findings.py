"""What a check has found, and how a check is kept from waiting for ever."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db import Error, InterfaceError, OperationalError, connections

from live.logs.hidden_secrets import hide_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    #: Works, and could be better or safer.
    ADVICE = "advice"
    #: Doesn't work.
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One fact about a subject, and what to do about it."""

    level: Level
    subject: str
    text: str
    remedy: str = ""


def ok(subject: str, text: str) -> Finding:
    """Return that something works."""
    return Finding(Level.OK, subject, text)


def advice(subject: str, text: str, remedy: str) -> Finding:
    """Return that something could be better."""
    return Finding(Level.ADVICE, subject, text, remedy)


def problem(subject: str, text: str, remedy: str) -> Finding:
    """Return that something doesn't work."""
    return Finding(Level.PROBLEM, subject, text, remedy)


def first_line(error: BaseException) -> str:
    """Return what an exception says, without secrets and without the lines of context of a database."""
    lines = hide_secrets(str(error)).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__


def examine(subject: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings about a part of a database. What this user may not read is a problem by itself.

    Errors that end the connection are raised: nothing else can be examined without it.
    """
    try:
        yield from findings
    except (OperationalError, InterfaceError):
        raise
    except Error as error:
        yield problem(
            subject,
            f"can't be examined as a whole: {first_line(error)}",
            "If permission is denied, grant it to this user, or run the command as one who has it.",
        )


def run_checks(checks: Mapping[str, Callable[[], Iterable[Finding]]], seconds: float) -> list[Finding]:
    """Return what the checks find, in their order. All run at the same time, each in a thread.

    A check that raises, or takes more than `seconds`, is a problem by itself. What it found before counts.
    """
    found: dict[str, list[Finding]] = {subject: [] for subject in checks}

    def run(subject: str, check: Callable[[], Iterable[Finding]]) -> None:
        try:
            for finding in check():
                found[subject].append(finding)
        except Exception as error:  # noqa: BLE001 - a broken site is what this command is for
            text = f"can't be examined: {type(error).__name__}: {first_line(error)}"
            found[subject].append(problem(subject, text, "Mend this first, and run the command again."))
        finally:
            connections.close_all()  # This thread's own.

    # Daemons: one that hangs must not keep the process from ending.
    threads = {
        subject: threading.Thread(target=run, args=[subject, check], daemon=True)
        for subject, check in checks.items()
    }
    for thread in threads.values():
        thread.start()
    until = time.monotonic() + seconds
    for subject, thread in threads.items():
        thread.join(max(until - time.monotonic(), 0))
        if thread.is_alive():
            found[subject].append(
                problem(
                    subject,
                    f"doesn't answer within {seconds:g} s",
                    "The server, or a proxy before it, takes connections but answers nothing: see its log.",
                )
            )
    return [finding for findings in found.values() for finding in list(findings)]

from __future__ import annotations

import os
import select
import signal
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connections
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from django_risingwave.routers import VENDOR, first_risingwave_alias
from django_risingwave.streaming.following.change_formats import TextTable, json_line
from django_risingwave.streaming.following.follower import Follower, find_subscription
from django_risingwave.streaming.sessions import open_session
from django_risingwave.streaming.subscriptions import check_since

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from django.core.management.base import CommandParser

    from django_risingwave.streaming.following.follower import RowChange
    from django_risingwave.streaming.subscriptions import Since

#: Seconds of one wait for changes: how late the end of a pipe's reader is noticed.
WAIT_SECONDS = 0.5


class Command(BaseCommand):
    """Print the changes of a table or view until it is interrupted."""

    help = (
        "Prints the changes of a table or materialized view as they come: as a table in a terminal, as JSON "
        "lines in a pipe or a file. It needs a subscription. Ctrl-C ends it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "followed", metavar="name", help="A table, a materialized view, a subscription, or app.Model."
        )
        parser.add_argument(
            "--since",
            default="now",
            help='Where to begin: "now" (the default), "begin" (the oldest change that is kept), "full" (all '
            "rows, then their changes), a time such as 2026-01-31T12:00Z, or milliseconds since 1970.",
        )
        parser.add_argument("--database", help="The alias of RisingWave. Default: the first in DATABASES.")

    def handle(self, *, followed: str, since: str, database: str | None, **options: Any) -> None:
        """Follow until a signal, or until nobody reads the output. Raises CommandError."""
        alias = database or first_risingwave_alias()
        if alias is None or alias not in connections or connections[alias].vendor != VENDOR:
            raise CommandError(
                f"{alias or 'DATABASES'} isn't on RisingWave. Name an alias whose ENGINE is "
                '"django_risingwave": --database=….'
            )
        try:
            begin = _read_since(since)
            with closing(Follower(_subscription(alias, followed), using=alias, since=begin)) as follower:
                follower.start()
                self._follow(follower)
        except (Error, ValueError, LookupError) as error:
            raise CommandError(str(error)) from error

    def _follow(self, follower: Follower) -> None:
        lines = _lines(is_terminal=self.stdout.isatty())
        previous = None
        if threading.current_thread() is threading.main_thread():
            previous = signal.signal(signal.SIGTERM, _interrupt)
        try:
            while not self._is_output_closed():
                follower.fill(WAIT_SECONDS)
                while change := follower.take():
                    for line in lines(change):
                        self.stdout.write(line)
                self.stdout.flush()
        except KeyboardInterrupt:
            pass
        except BrokenPipeError:
            # Python would complain when it flushes the output at its end.
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stdout.fileno())
        finally:
            if previous is not None:
                signal.signal(signal.SIGTERM, previous)

    def _is_output_closed(self) -> bool:
        """Return whether the output is a pipe that nobody reads any more."""
        try:
            output = self.stdout.fileno()
        except (AttributeError, OSError, ValueError):
            return False
        poll = select.poll()
        poll.register(output, 0)
        return any(events & select.POLLERR for _, events in poll.poll(0))


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _lines(*, is_terminal: bool) -> Callable[[RowChange], list[str]]:
    return TextTable().lines if is_terminal else lambda change: [json_line(change)]


def _read_since(text: str) -> Since:
    if text.isdecimal():
        return int(text)
    # Django's raises ValueError for a time that doesn't exist, such as 25:00.
    if (moment := parse_datetime(text)) is not None:
        return check_since(timezone.make_aware(moment) if timezone.is_naive(moment) else moment)
    if text in ("now", "begin", "full"):
        return check_since(text)  # type: ignore[arg-type]  # one of its literals
    raise CommandError(
        '--since must be "now", "begin", "full", a time such as 2026-01-31T12:00Z or milliseconds since '
        f"1970, not {text!r}."
    )


def _subscription(alias: str, followed: str) -> str:
    """Return the name of the subscription: of that name, or of a model's or another relation."""
    with closing(open_session(alias)) as session, session.cursor() as cursor:
        if followed in session.introspection.get_subscription_sources(cursor):
            return followed
    if "." in followed:
        with suppress(LookupError, ValueError):
            return find_subscription(alias, apps.get_model(followed)._meta.db_table)
    return find_subscription(alias, followed)

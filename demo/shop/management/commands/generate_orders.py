"""Inserts generated orders, at a rate or as fast as possible, or prints them as SQL."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from argparse import ArgumentTypeError
from contextlib import nullcontext
from datetime import UTC, date, datetime
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from demo.databases import first_line
from demo.shop.generator.orders import LINES_PER_ORDER, MAX_INT, OrderLine, generate, insert_statement
from demo.shop.generator.orders_table import OrdersTable
from demo.shop.generator.pace import Pace
from demo.shop.generator.past import changing_taste, spread
from demo.shop.generator.progress import Progress

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Iterator

    #: Takes a statement, and returns the seconds of waiting for a server that was gone.
    Insert = Callable[[str], float]

#: Order lines per second, without --rate and --count.
DEFAULT_RATE = 20
#: Order lines per INSERT: larger statements are hardly faster.
DEFAULT_BATCH = 10_000
#: Seconds for an orderly exit, which ends an INSERT. The demo's supervisor kills after three.
EXIT_SECONDS = 2.0
#: The date of orders with --seed, which must be the same every day.
SEEDED_DATE = date(2026, 1, 1)


def positive_rate(text: str) -> float:
    """Read a positive number."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (isfinite(value) and value > 0):
        raise ArgumentTypeError(
            f"must be a positive number of order lines per second, such as 20, not {text!r}"
        )
    return value


def positive_int(text: str) -> int:
    """Read a positive whole number that fits an integer column."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 0 < value <= MAX_INT:
        raise ArgumentTypeError(f"must be a whole number from 1 to {MAX_INT}, not {text!r}")
    return value


def iso_date(text: str) -> date:
    """Read a date."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"must be a date such as 2026-01-31, not {text!r}") from None


def exit_though_waiting() -> None:
    """Let SIGINT and SIGTERM end this process even while psycopg2 waits for a server that doesn't answer.

    Python calls its signal handlers between two instructions of the main thread, but writes the number of the
    signal to this pipe at once: https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def exit_late() -> None:
        while os.read(reader, 1)[0] not in (signal.SIGINT, signal.SIGTERM):
            pass
        time.sleep(EXIT_SECONDS)
        os._exit(0)

    threading.Thread(target=exit_late, daemon=True).start()


class Command(BaseCommand):
    """`manage.py generate_orders`; docs/data.md describes it."""

    help = "Inserts generated order lines into the table of orders until Ctrl-C, or --count lines."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--rate",
            type=positive_rate,
            help=f"Order lines per second. Default: {DEFAULT_RATE:g}, or with --count as fast as possible.",
        )
        parser.add_argument("--count", type=positive_int, help="Stop after this number of order lines.")
        parser.add_argument("--seed", type=int, help="Generate the same orders for the same seed.")
        parser.add_argument(
            "--batch",
            type=positive_int,
            default=DEFAULT_BATCH,
            help="Maximum number of order lines per INSERT. Default: %(default)s.",
        )
        parser.add_argument(
            "--first-orderid",
            type=positive_int,
            help="Number of the first order. Default: the last one plus 1, or 1 with --seed or --sql.",
        )
        parser.add_argument(
            "--date",
            type=iso_date,
            help=f"Date of the orders. Default: today (UTC), or {SEEDED_DATE} with --seed.",
        )
        parser.add_argument(
            "--days",
            type=positive_int,
            help="Spread the --count order lines over the last days, more by day than by night, with changing"
            " tastes. Default: all are placed when they are inserted.",
        )
        parser.add_argument(
            "--sql", action="store_true", help="Print INSERT statements for psql instead. Needs no server."
        )

    def run_from_argv(self, argv: list[str]) -> None:
        """Exit quietly on Ctrl-C, on SIGTERM, and when a reader such as `head` closes the pipe."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        exit_though_waiting()
        try:
            super().run_from_argv(argv)
        except KeyboardInterrupt:
            sys.exit()
        except BrokenPipeError:
            # Python flushes stdout again at exit. https://docs.python.org/3/library/signal.html#note-on-sigpipe
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def handle(self, *args: Any, **options: Any) -> None:
        """Generate orders until Ctrl-C or --count. Raises CommandError."""
        try:
            self.run(**options)
        except (ValueError, Error) as error:
            raise CommandError(f"Stopped: {first_line(error)}.") from error

    def run(
        self,
        *,
        rate: float | None,
        count: int | None,
        seed: int | None,
        batch: int,
        first_orderid: int | None,
        date: date | None,
        days: int | None,
        sql: bool,
        verbosity: int,
        **_: Any,
    ) -> None:
        """Generate orders, and insert or print them at the rate or at full speed."""
        if days and (not count or date):
            raise CommandError("--days needs --count, and can't be combined with --date.")
        table = None if sql else OrdersTable(self.say)
        last_orderid = table.last_orderid() if table else 0
        if seed is not None:
            first_orderid, date = first_orderid or 1, date or SEEDED_DATE
        first_orderid = first_orderid or last_orderid + 1
        if days and count:
            lines = self.past_lines(seed, first_orderid, count, days)
        else:
            lines = islice(self.lines(seed, first_orderid, date), count)
        insert = table.insert if table else self.print_statement
        if rate or not count:
            rate = rate or DEFAULT_RATE
            if verbosity:
                self.say(f"{rate:g} order lines per second. Press Ctrl-C to stop.")
            self.keep_pace(lines, Pace(rate), batch, insert)
        else:
            progress = Progress(count, "order lines", self.stderr) if verbosity and not sql else None
            self.load(lines, batch, insert, progress)
        if table:
            table.connection.flush()

    def lines(self, seed: int | None, first_orderid: int, day: date | None) -> Iterator[OrderLine]:
        """Generate order lines without end. After the largest possible number, number from 1 again."""
        while True:
            yield from generate(seed, first_orderid, day)
            first_orderid = 1
            self.say(f"The largest possible orderid, {MAX_INT:,}, is reached. Numbering from 1 again.")

    def past_lines(self, seed: int | None, first_orderid: int, count: int, days: int) -> Iterator[OrderLine]:
        """Generate `count` order lines that were placed over the last days."""
        taste = changing_taste(int(count / LINES_PER_ORDER))
        return spread(generate(seed, first_orderid, taste=taste), count, days, datetime.now(UTC))

    def keep_pace(self, lines: Iterator[OrderLine], pace: Pace, batch: int, insert: Insert) -> None:
        """Insert each line when it is due. Lines that were due while the server was gone are dropped."""
        while chunk := list(islice(lines, pace.wait(batch))):
            if insert(insert_statement(chunk)):
                pace.restart()

    def load(self, lines: Iterator[OrderLine], batch: int, insert: Insert, progress: Progress | None) -> None:
        """Insert as fast as the server allows."""
        with progress or nullcontext():
            while chunk := list(islice(lines, batch)):
                insert(insert_statement(chunk))
                if progress:
                    progress.add(len(chunk))

    def print_statement(self, statement: str) -> float:
        """Print the statement for psql instead of executing it."""
        self.stdout.write(f"{statement};")
        self.stdout.flush()
        return 0.0

    def say(self, text: str) -> None:
        """Write a message to stderr: stdout may be SQL."""
        self.stderr.write(text, style_func=str)

"""Inserts made-up orders, at a rate or as fast as it can, or prints them as SQL."""

from __future__ import annotations

import os
import signal
import sys
from argparse import ArgumentTypeError
from contextlib import nullcontext
from datetime import date
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from demo.databases import first_line
from demo.shop.generator.orders import LARGEST_INT, OrderLine, generate, insert_statement
from demo.shop.generator.orders_table import OrdersTable
from demo.shop.generator.pace import Pace
from demo.shop.generator.progress import Progress

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Iterator

    #: Takes a statement, returns the seconds for which it had to wait for the server.
    Insert = Callable[[str], float]

#: Order lines a second, where neither a rate nor a count is given.
DEFAULT_RATE = 20
#: Order lines in one INSERT: more is hardly faster.
DEFAULT_BATCH = 10_000
#: The date of seeded orders: the same tomorrow.
SEEDED_DATE = date(2026, 1, 1)


def positive_rate(text: str) -> float:
    """Read a positive number."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (isfinite(value) and value > 0):
        raise ArgumentTypeError(
            f"must be a positive number of order lines a second, such as 20, not {text!r}"
        )
    return value


def positive_int(text: str) -> int:
    """Read a positive whole number within the range of an integer column."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 0 < value <= LARGEST_INT:
        raise ArgumentTypeError(f"must be a whole number from 1 to {LARGEST_INT}, not {text!r}")
    return value


def iso_date(text: str) -> date:
    """Read a date."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"must be a date such as 2026-01-31, not {text!r}") from None


class Command(BaseCommand):
    """`manage.py generate_orders`, see docs/data.md."""

    help = "Insert made-up order lines into the table of orders, until Ctrl-C or --count."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--rate",
            type=positive_rate,
            help=f"Order lines a second. Default: {DEFAULT_RATE:g}; with --count as fast as it can.",
        )
        parser.add_argument("--count", type=positive_int, help="Stop after so many order lines.")
        parser.add_argument("--seed", type=int, help="Make the same orders each time, for each seed others.")
        parser.add_argument(
            "--batch",
            type=positive_int,
            default=DEFAULT_BATCH,
            help="Order lines in one INSERT at most. Default: %(default)s.",
        )
        parser.add_argument(
            "--first-orderid",
            type=positive_int,
            help="Number of the first order. Default: one more than the last; 1 with --seed or --sql.",
        )
        parser.add_argument(
            "--date",
            type=iso_date,
            help=f"Date of the orders. Default: today (UTC); {SEEDED_DATE} with --seed.",
        )
        parser.add_argument(
            "--sql", action="store_true", help="Print INSERT statements, for psql, instead: needs no server."
        )

    def run_from_argv(self, argv: list[str]) -> None:
        """End cleanly on Ctrl-C and SIGTERM, and when the reader of --sql has enough, as `head` has."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            super().run_from_argv(argv)
        except KeyboardInterrupt:
            sys.exit()
        except BrokenPipeError:
            # Python would flush once more at exit. https://docs.python.org/3/library/signal.html#note-on-sigpipe
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the orders, and pass them on at a pace or at full speed. Raises CommandError."""
        try:
            self.run(**options)
        except (ValueError, Error) as error:
            raise CommandError(f"Ended: {first_line(error)}.") from error

    def run(
        self,
        *,
        rate: float | None,
        count: int | None,
        seed: int | None,
        batch: int,
        first_orderid: int | None,
        date: date | None,
        sql: bool,
        verbosity: int,
        **_: Any,
    ) -> None:
        """Make the orders, and pass them on at a pace or at full speed."""
        table = None if sql else OrdersTable(self.say)
        last_orderid = table.last_orderid() if table else 0
        if seed is not None:
            first_orderid, date = first_orderid or 1, date or SEEDED_DATE
        lines = islice(generate(seed, first_orderid or last_orderid + 1, date), count)
        insert = table.insert if table else self.print_statement
        if rate or not count:
            rate = rate or DEFAULT_RATE
            if verbosity:
                self.say(f"{rate:g} order lines a second. Ctrl-C ends it.")
            self.keep_pace(lines, Pace(rate), batch, insert)
        else:
            progress = Progress(count, "order lines", self.stderr) if verbosity and not sql else None
            self.load(lines, batch, insert, progress)
        if table:
            table.connection.flush()

    def keep_pace(self, lines: Iterator[OrderLine], pace: Pace, batch: int, insert: Insert) -> None:
        """Insert each line when it is due. What was due while the server was gone is left out."""
        while chunk := list(islice(lines, pace.wait(batch))):
            if insert(insert_statement(chunk)):
                pace.restart()

    def load(self, lines: Iterator[OrderLine], batch: int, insert: Insert, progress: Progress | None) -> None:
        """Insert as fast as the server takes it."""
        with progress or nullcontext():
            while chunk := list(islice(lines, batch)):
                insert(insert_statement(chunk))
                if progress:
                    progress.add(len(chunk))

    def print_statement(self, statement: str) -> float:
        """Write SQL for psql, in an INSERT's place."""
        self.stdout.write(f"{statement};")
        self.stdout.flush()
        return 0.0

    def say(self, text: str) -> None:
        """Tell people; on stderr, as stdout may be SQL."""
        self.stderr.write(text, style_func=str)

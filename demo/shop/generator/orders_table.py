"""Inserts into the table of orders, and waits for the server whenever it is gone."""

from __future__ import annotations

import time
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING, cast

from django.core.management.base import CommandError
from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError, connections, router
from django.db.models import Max

from demo.databases import describe, first_line
from demo.shop.generator.orders import MAX_INT
from demo.shop.models import Order
from live.retries import retry_delays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.base import DatabaseWrapper

#: What the driver raises when the server is gone, or its disk is full. InternalError: PostgreSQL is
#: read-only, or RisingWave is recovering; nearly all of its errors have the code XX000.
#: https://github.com/risingwavelabs/risingwave/blob/v3.0.3/src/utils/pgwire/src/error_or_notice.rs
CONNECTION_ERRORS = (OperationalError, InterfaceError, InternalError)
#: ProgrammingError: the table was dropped, or a privilege was revoked. Both may be made good.
INSERT_ERRORS = (*CONNECTION_ERRORS, ProgrammingError)
#: Seconds after which an INSERT is said to wait: one of a full batch takes less than a second.
SILENCE_SECONDS = 5.0
#: Numbers that are left to the orders of a run: at 20 order lines per second they last for a day.
SPARE_ORDERIDS = 1_000_000
#: Seconds before the first attempt to reconnect, and before each of the last ones.
FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.5, 5.0


class OrdersTable:
    """The table `orders` in the database that the router chooses. `report` gets messages for the user."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.alias = router.db_for_write(Order)
        self.connection = cast("DatabaseWrapper", connections[self.alias])
        self.report = report

    def last_orderid(self) -> int:
        """Return the orderid after which the next orders are numbered, or 0 if there is none.

        It is the largest one, unless that leaves too few numbers: one row with the largest possible orderid
        must not end the numbering. Raises CommandError without a server or a table.
        """
        orders = Order.objects.using(self.alias)
        try:
            last = orders.aggregate(last=Max("orderid"))["last"] or 0
            if last > MAX_INT - SPARE_ORDERIDS:
                spared = orders.filter(orderid__lte=MAX_INT - SPARE_ORDERIDS)
                last = spared.aggregate(last=Max("orderid"))["last"] or 0
            return max(last, 0)
        except ProgrammingError as error:
            raise self.no_table(error) from error
        except CONNECTION_ERRORS as error:
            raise CommandError(
                f"Can't reach the {describe(self.connection)}: {first_line(error)}. "
                "Check that the server runs and that RISINGWAVE_URL is right."
            ) from error

    def insert(self, statement: str) -> float:
        """Run an INSERT; while it can't be run, say why, wait and retry. Returns the seconds of waiting.

        If the connection breaks after the server has executed the statement, the retry inserts its rows
        again. A server that doesn't answer is waited for without a retry.
        """
        began = time.monotonic()
        outage = Waiting(self)
        delays = retry_delays(FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS)
        while True:
            try:
                with outage.watching():
                    self.execute(statement)
            except INSERT_ERRORS as error:
                outage.say(first_line(error))
                self.connection.close()
                time.sleep(next(delays))
            else:
                break
        if not outage.is_said:
            return 0.0
        waited = time.monotonic() - began
        self.report(
            f"Orders can be inserted into the {describe(self.connection)} again after {waited:.0f} s."
        )
        return waited

    def execute(self, statement: str) -> None:
        """Run a statement. On RisingWave, don't wait for the checkpoint that makes its rows visible."""
        is_new = self.connection.connection is None
        with self.connection.cursor() as cursor:
            if is_new and self.connection.is_risingwave:
                cursor.execute("SET rw_implicit_flush TO false")
            cursor.execute(statement)

    def no_table(self, error: Exception) -> CommandError:
        """Return the error for a server without a suitable table."""
        return CommandError(
            f"Can't use the table of orders in the {describe(self.connection)}: {first_line(error)}. "
            f"Create it with: manage.py migrate --database {self.alias}"
        )


class Waiting:
    """Says once why orders can't be inserted."""

    def __init__(self, table: OrdersTable) -> None:
        self.table = table
        self.is_said = False

    def say(self, reason: str) -> None:
        """Report the first reason."""
        if not self.is_said:
            self.is_said = True
            self.table.report(
                f"Orders can't be inserted into the {describe(self.table.connection)}: {reason}. Retrying."
            )

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Say it if the block, which waits for the server, takes too long."""
        timer = Timer(SILENCE_SECONDS, self.say, [f"no answer within {SILENCE_SECONDS:g} s"])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

"""Inserts into the table of orders, and waits for the server whenever it is gone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from django.core.management.base import CommandError
from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError, connections, router
from django.db.models import Max

from demo.databases import describe, first_line
from demo.shop.models import Order
from live.retries import retry_delays

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper

#: What the driver raises when the server is gone. InternalError: RisingWave is recovering; nearly all of its
#: errors have the code XX000.
#: https://github.com/risingwavelabs/risingwave/blob/v3.0.3/src/utils/pgwire/src/error_or_notice.rs
CONNECTION_ERRORS = (OperationalError, InterfaceError, InternalError)
#: Seconds before the first attempt to reconnect, and before each of the last ones.
FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.5, 5.0


class OrdersTable:
    """The table `orders` in the database that the router chooses. `report` gets messages for the user."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.alias = router.db_for_write(Order)
        self.connection = cast("DatabaseWrapper", connections[self.alias])
        self.report = report

    def last_orderid(self) -> int:
        """Return the largest orderid, or 0. Raises CommandError without a server or a table."""
        try:
            return Order.objects.using(self.alias).aggregate(last=Max("orderid"))["last"] or 0
        except ProgrammingError as error:
            raise self.no_table(error) from error
        except CONNECTION_ERRORS as error:
            raise CommandError(
                f"Can't reach the {describe(self.connection)}: {first_line(error)}. "
                "Check that the server runs and that RISINGWAVE_URL is right."
            ) from error

    def insert(self, statement: str) -> float:
        """Run an INSERT; while the server is gone, wait and retry. Returns the seconds of waiting.

        If the connection breaks after the server has executed the statement, the retry inserts its rows
        again. Raises CommandError if there is no such table.
        """
        lost_at = None
        delays = retry_delays(FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS)
        while True:
            try:
                self.execute(statement)
            except ProgrammingError as error:
                raise self.no_table(error) from error
            except CONNECTION_ERRORS as error:
                if lost_at is None:
                    lost_at = time.monotonic()
                    self.report(
                        f"The {describe(self.connection)} is gone; waiting for it: {first_line(error)}"
                    )
                self.connection.close()
                time.sleep(next(delays))
            else:
                break
        if lost_at is None:
            return 0.0
        waited = time.monotonic() - lost_at
        self.report(f"The {describe(self.connection)} is back after {waited:.0f} s.")
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

"""The table of orders, as generate_orders fills it: through a server's going away and coming back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from django.core.management.base import CommandError
from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError, connections, router
from django.db.models import Max

from demo.databases import describe, first_line
from demo.shop.models import Order

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper

#: What the driver raises when the server is gone. InternalError: RisingWave recovering, since nearly all its
#: errors are XX000; src/utils/pgwire/src/error_or_notice.rs, github.com/risingwavelabs/risingwave, v3.0.3.
LOST = (OperationalError, InterfaceError, InternalError)
#: Seconds before the first and every later attempt to reach a lost server again.
RETRY_FIRST, RETRY_MOST = 0.5, 5.0


class OrdersTable:
    """Inserts into `orders`, in the database where the router has them. `report` takes lines for people."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.alias = router.db_for_write(Order)
        self.connection = cast("DatabaseWrapper", connections[self.alias])
        self.report = report

    def last_orderid(self) -> int:
        """Find the largest orderid, 0 for an empty table. Raises CommandError without a server or a table."""
        try:
            return Order.objects.using(self.alias).aggregate(last=Max("orderid"))["last"] or 0
        except ProgrammingError as error:
            raise self.no_table(error) from error
        except LOST as error:
            raise CommandError(
                f"Can't reach the {describe(self.connection)}: {first_line(error)}. "
                "Check that the server runs and that RISINGWAVE_URL is right."
            ) from error

    def insert(self, statement: str) -> float:
        """Run an INSERT; while the server is gone, wait and try again. Returns the seconds waited.

        A statement that was under way when the server went may have been done: its rows are then there twice.
        Raises CommandError when the server refuses it.
        """
        lost_at = None
        delay = RETRY_FIRST
        while True:
            try:
                self.execute(statement)
            except ProgrammingError as error:
                raise self.no_table(error) from error
            except LOST as error:
                if lost_at is None:
                    lost_at = time.monotonic()
                    self.report(f"Lost the {describe(self.connection)}, waiting for it: {first_line(error)}")
                self.connection.close()
                time.sleep(delay)
                delay = min(delay * 2, RETRY_MOST)
            else:
                break
        if lost_at is None:
            return 0.0
        waited = time.monotonic() - lost_at
        self.report(f"The {describe(self.connection)} is back after {waited:.0f} s.")
        return waited

    def execute(self, statement: str) -> None:
        """Run a statement, on RisingWave without waiting for the checkpoint that makes its rows visible."""
        is_new = self.connection.connection is None
        with self.connection.cursor() as cursor:
            if is_new and self.connection.is_risingwave:
                cursor.execute("SET rw_implicit_flush TO false")
            cursor.execute(statement)

    def no_table(self, error: Exception) -> CommandError:
        """Word the error of a server that is there, but without a table as expected."""
        return CommandError(
            f"The {describe(self.connection)} takes no orders: {first_line(error)}. "
            f"Run: manage.py migrate --database {self.alias}"
        )

"""Inserts orders and knows their sums, whatever happens to the database."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from django.db.backends.postgresql.base import Database as Driver  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from tests.faults.lab import Database

STATES = ("Ohio", "Utah", "Iowa", "Guam", "Texas", "Maine")
#: Seconds between two inserts: more than four a second, so that the feed has to combine them.
PAUSE_SECONDS = 0.1
#: Seconds between two attempts to reach a database that is gone.
RETRY_SECONDS = 0.2


class Writer(threading.Thread):
    """Inserts orders until the block ends. Each insert is one order, known by its number, which is negative.

    An insert whose answer is lost may have happened. The writer asks for the order's number once the
    database is back, and repeats the insert only if it isn't there: so each order counts once.
    """

    def __init__(self, database: Database, *, through_proxy: bool = False) -> None:
        super().__init__(name="writer", daemon=True)
        server = database.server
        self.url = database.url if through_proxy else server.url(database.database)
        self.orders = self.quantity = 0
        self.turnover = Decimal(0)
        #: The errors of attempts that failed, without repetitions in a row.
        self.errors: list[str] = []
        self._connection: Any = None
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End after the order that is on its way. The sums don't change any more."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            order = -self.orders - 1, random.randint(1, 9), random.randint(1, 99), random.choice(STATES)
            self._insert_once(*order)

    def _insert_once(self, number: int, quantity: int, price: int, state: str) -> None:
        is_doubtful = False
        while True:
            try:
                if not (is_doubtful and self._has(number)):
                    is_doubtful = True
                    self._execute(
                        "INSERT INTO orders (orderid, itemid, qty, price, state) VALUES (%s, %s, %s, %s, %s)",
                        [number, number % 7, quantity, price, state],
                    )
            except Driver.Error as error:
                text = str(error).strip()
                if self.errors[-1:] != [text]:
                    self.errors.append(text)
                self._disconnect()
                time.sleep(RETRY_SECONDS)
            else:
                break
        self.add(1, quantity, Decimal(quantity * price))

    def add(self, orders: int, quantity: int, turnover: Decimal) -> None:
        """Add to what must be found in the end: orders that are inserted."""
        self.orders, self.quantity = self.orders + orders, self.quantity + quantity
        self.turnover += turnover

    def _has(self, number: int) -> bool:
        return bool(self._execute("SELECT 1 FROM orders WHERE orderid = %s", [number]))

    def _execute(self, statement: str, parameters: list[object]) -> list[Any]:
        if self._connection is None:
            self._connection = Driver.connect(self.url, connect_timeout=5)
            self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    def _disconnect(self) -> None:
        with suppress(Driver.Error, AttributeError):
            self._connection.close()
        self._connection = None

"""Server-side cursors, for QuerySet.iterator().

RisingWave supports DECLARE … CURSOR FOR, FETCH n FROM and CLOSE, but not WITHOUT HOLD, FETCH FORWARD and
FETCH ALL, which the drivers' named cursors send. Its cursors need no transaction and live until they are
closed. COMMIT and ROLLBACK, which this backend never sends, close all cursors of a session.
https://docs.risingwave.com/sql/commands/sql-declare-cursor, src/frontend/src/session/cursor_manager.rs at
v3.0.3.

PostgreSQL closes a cursor at the end of the transaction unless it is declared WITH HOLD. A transaction for
the cursor's sake would hide from other sessions what is written in the meantime, and lose it on the first
error. So the stand-in's cursors are declared WITH HOLD, which RisingWave can't parse.
https://www.postgresql.org/docs/18/sql-declare.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models.sql.constants import GET_ITERATOR_CHUNK_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator


# Values of connection.info.transaction_status in both drivers: a failed transaction, in which the server
# accepts only ROLLBACK, and a closed connection. https://www.postgresql.org/docs/18/libpq-status.html
_INERROR, _UNKNOWN = 3, 4


class ServerSideCursor:
    """The reading half of a DB-API cursor, over a cursor on the server."""

    def __init__(self, cursor: Any, name: str, *, hold: bool) -> None:
        self._cursor = cursor
        self._name = f'"{name}"'
        self._declare = f"DECLARE {self._name} CURSOR {'WITH HOLD ' if hold else ''}FOR "
        self._declared = False

    def __getattr__(self, name: str) -> Any:
        # Django reads the sent statement from an attribute that each driver names differently.
        return getattr(self._cursor, name)

    def __iter__(self) -> Iterator[Any]:
        while rows := self.fetchmany(GET_ITERATOR_CHUNK_SIZE):
            yield from rows

    def execute(self, sql: str, *args: Any) -> None:
        """Start the query. RisingWave computes rows as they are fetched."""
        self._cursor.execute(self._declare + sql, *args)
        self._declared = True

    def fetchmany(self, size: int) -> list[Any]:
        """Return the next rows, at most `size`; an empty list after the last."""
        self._cursor.execute(f"FETCH {int(size)} FROM {self._name}")
        rows: list[Any] = self._cursor.fetchall()
        return rows

    def fetchone(self) -> Any:
        """Return the next row, or None after the last."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchall(self) -> list[Any]:
        """Return the remaining rows."""
        return list(self)

    def close(self) -> None:
        """Close the cursor. Send nothing if the server has closed it already."""
        if self._declared and self._cursor.connection.info.transaction_status not in (_INERROR, _UNKNOWN):
            self._cursor.execute(f"CLOSE {self._name}")
        self._declared = False
        self._cursor.close()

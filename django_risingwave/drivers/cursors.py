"""Cursors of the server, for iterator(): the driver's own say WITHOUT HOLD, FETCH FORWARD and FETCH ALL.

RisingWave knows DECLARE … CURSOR FOR, FETCH n FROM and CLOSE. There a cursor needs no transaction, and lives
until it is closed; COMMIT and ROLLBACK, which this backend never sends, drop all of a session's. (In a
read-only transaction nothing could be written between two rows.)
https://docs.risingwave.com/sql/commands/sql-declare-cursor, src/frontend/src/session/cursor_manager.rs at
v3.0.3.

PostgreSQL's cursors live until the end of the transaction, unless they are held. A transaction around them
would keep what is written meanwhile from all others, and lose it with the first error. So the stand-in's say
WITH HOLD, which RisingWave can't parse. https://www.postgresql.org/docs/18/sql-declare.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models.sql.constants import GET_ITERATOR_CHUNK_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator


# libpq's transaction status, as both drivers have it in `connection.info`, of a transaction in which all but
# ROLLBACK is refused, and of a connection that is closed: https://www.postgresql.org/docs/18/libpq-status.html
_INERROR, _UNKNOWN = 3, 4


class ServerSideCursor:
    """The part of a DB-API cursor that reads rows, over one that lives on the server."""

    def __init__(self, cursor: Any, name: str, *, hold: bool) -> None:
        self._cursor = cursor
        self._name = f'"{name}"'
        self._declare = f"DECLARE {self._name} CURSOR {'WITH HOLD ' if hold else ''}FOR "
        self._declared = False

    def __getattr__(self, name: str) -> Any:
        # What the driver calls the statement it sent, which queries are logged by.
        return getattr(self._cursor, name)

    def __iter__(self) -> Iterator[Any]:
        while rows := self.fetchmany(GET_ITERATOR_CHUNK_SIZE):
            yield from rows

    def execute(self, sql: str, *args: Any) -> None:
        """Begin the query. Rows are computed as they are fetched."""
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
        """Return the rows that are left."""
        return list(self)

    def close(self) -> None:
        """Let go of the query. Nothing is sent where the server has let go of it by itself."""
        if self._declared and self._cursor.connection.info.transaction_status not in (_INERROR, _UNKNOWN):
            self._cursor.execute(f"CLOSE {self._name}")
        self._declared = False
        self._cursor.close()

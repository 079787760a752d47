"""A ranking as CSV, for spreadsheets: all keys of its view, read and written in a thread of its own."""

from __future__ import annotations

import asyncio
import csv
import io
import queue
import re
import threading
from contextlib import suppress
from datetime import date, time
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db import Error, router
from django.utils import translation

from live.conf import MAX_EXPORTS, live_settings
from live.feeding.sources import ROWS_PER_FETCH, find_sources
from live.hub_state import NoDataError
from live.opened.sessions import report
from live.request_sessions import request_session
from live.users import deadlines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from live.rankings import Ranking

#: Makes Excel read the file as UTF-8.
BYTE_ORDER_MARK = "\ufeff"
#: A spreadsheet takes a cell that begins with one of these for a formula. Excel in German, and in other
#: languages that write a decimal comma, begins a cell after a semicolon too, as LibreOffice does after a tab.
#: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = re.compile(r"^(?=[=+\-@\t\r\n＝＋－＠])|(?<=[;\t])(?=[=+\-@＝＋－＠])")
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
#: Chunks that wait for a slow client. Then the thread waits too.
MAX_CHUNKS = 2

_slots = threading.BoundedSemaphore(MAX_EXPORTS)


class BusyError(Exception):
    """As many exports run as may run at the same time."""


class StalledError(Exception):
    """The client has taken nothing for STALLED_SECONDS, and the export has ended without it."""


def csv_chunks(ranking: Ranking, pairs: Iterable[tuple[Any, Any]]) -> Iterator[bytes]:
    """Yield a CSV file of (key, value) pairs in the ranking's order, ROWS_PER_FETCH rows at a time.

    Names are in the active language; numbers are those of the database, whatever the language.
    """
    rows = _ranked(pairs)
    text = io.StringIO(BYTE_ORDER_MARK)
    text.seek(0, io.SEEK_END)
    writer = csv.writer(text)
    writer.writerow(["rank", "key", "name", cell(ranking.measure)])
    while True:
        chunk = list(islice(rows, ROWS_PER_FETCH))
        writer.writerows(
            [rank, cell(key), cell(str(ranking.name(key))), cell(value)] for rank, key, value in chunk
        )
        yield text.getvalue().encode(errors="backslashreplace")
        if len(chunk) < ROWS_PER_FETCH:
            return
        text.seek(0)
        text.truncate()


def _ranked(pairs: Iterable[tuple[Any, Any]]) -> Iterator[tuple[int, Any, Any]]:
    """Yield (rank, key, value); the same values share a rank.

    NaN and infinity, which the database sorts before all numbers, are no value and come last, as on the page.
    """
    last: list[tuple[Any, None]] = []

    def finite_first() -> Iterator[tuple[Any, Any]]:
        for key, value in pairs:
            if value is None or Decimal(value).is_finite():
                yield key, value
            else:
                last.append((key, None))
        yield from last

    rank, before = 0, object()
    for position, (key, value) in enumerate(finite_first(), start=1):
        if value != before:
            rank, before = position, value
        yield rank, key, value


def cell(value: Any) -> str:
    """Return a value for a cell: numbers as they are, and no text that a spreadsheet would calculate."""
    if value is None:
        return ""
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    text = str(value)
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub("'", text)


class Export:
    """A ranking's whole view as CSV, made in a thread that waits for whoever takes the chunks."""

    def __init__(self, ranking: Ranking, language: str) -> None:
        """Start the thread. Raises BusyError, or RuntimeError if no thread can be started."""
        self._alias, self._ranking, self._language = router.db_for_read(ranking.model), ranking, language
        self._chunks: queue.Queue[bytes | Exception | None] = queue.Queue(MAX_CHUNKS)
        self._is_closed = False
        if not _slots.acquire(blocking=False):
            raise BusyError
        try:
            threading.Thread(target=self._run, name=f"export-{ranking.id}", daemon=True).start()
        except BaseException:
            _slots.release()
            raise

    def _run(self) -> None:
        try:
            self._put_all()
        except queue.Full:
            # Nobody takes the chunks. Who comes back late must not wait for ever for those that are missing.
            self._drop_chunks()
            self._chunks.put_nowait(StalledError())
        finally:
            _slots.release()

    def _put_all(self) -> None:
        try:
            limit = live_settings.REQUEST_WAIT_SECONDS
            with request_session(self._alias, limit) as session, translation.override(self._language):
                source = find_sources(self._alias, [self._ranking])[self._ranking.id]
                chunks = csv_chunks(self._ranking, source.every(live_settings.EXPORT_ROWS))
                while not self._is_closed:
                    # A server that hangs enforces no limit.
                    with deadlines.within(session, limit):
                        chunk = next(chunks, None)
                    if chunk is None:
                        break
                    self._chunks.put(chunk, timeout=live_settings.STALLED_SECONDS)
        except queue.Full:
            raise
        except Exception as error:  # noqa: BLE001 - whoever takes the chunks gets it
            self._chunks.put(error, timeout=live_settings.STALLED_SECONDS)
        else:
            self._chunks.put(None, timeout=live_settings.STALLED_SECONDS)

    def take(self) -> bytes | None:
        """Wait for the next chunk, None after the last.

        Raises NoDataError, StalledError, or whatever a ranking's name() raises.
        """
        chunk = self._chunks.get()
        if isinstance(chunk, Error):
            report(str(chunk))
            raise NoDataError from chunk
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    async def first(self) -> bytes:
        """Wait for the first chunk, so that a failure can still be answered. Raises as take() does."""
        try:
            return await asyncio.to_thread(self.take) or b""
        except BaseException:
            self.close()
            raise

    def chunks(self, first: bytes) -> Iterator[bytes]:
        """Yield the first chunk and the others, for WSGI."""
        try:
            yield first
            yield from iter(self.take, None)
        finally:
            self.close()

    async def chunks_async(self, first: bytes) -> AsyncIterator[bytes]:
        """Yield the first chunk and the others, for ASGI."""
        try:
            yield first
            while (chunk := await asyncio.to_thread(self.take)) is not None:
                yield chunk
        finally:
            self.close()

    def close(self) -> None:
        """End the thread soon: nobody takes the chunks any more."""
        self._is_closed = True
        self._drop_chunks()

    def _drop_chunks(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._chunks.get_nowait()

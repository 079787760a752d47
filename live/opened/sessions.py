"""What a request for one ranking or one key asks the rankings' database itself."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from django.db import Error

from live.conf import MAX_REQUEST_SESSIONS, live_settings
from live.hub_state import NoDataError
from live.logs.repeated_lines import RepeatedLines
from live.request_sessions import RequestThreads

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")

_lines = RepeatedLines(logging.getLogger(__name__), logging.ERROR)
_threads = RequestThreads(MAX_REQUEST_SESSIONS, "rankings-request")


async def ask(alias: str, question: Callable[[], Answer]) -> Answer:
    """Return the answer of a function that queries the database `alias`, as the ORM does.

    Raises NoDataError if it isn't there within REQUEST_WAIT_SECONDS, or if the database can't be read.
    """
    limit = live_settings.REQUEST_WAIT_SECONDS
    answer = _threads.ask(alias, lambda _session: question(), query_seconds=limit, total_seconds=limit)
    try:
        return await asyncio.wait_for(answer, limit)
    except TimeoutError:
        report(f"no answer within {limit:g} s")
        raise NoDataError from None
    except Error as error:
        report(str(error))
        raise NoDataError from error


def report(reason: str) -> None:
    """Log why a request couldn't read the rankings' database."""
    _lines.log("request", f"request: can't read the rankings' database ({' '.join(reason.split())})")

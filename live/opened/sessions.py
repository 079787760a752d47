"""What a request asks the rankings' database itself: in a thread, with a session of its own.

Everything that all viewers see comes from the hub. This is for what only one of them asks for.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from django.db import Error, connections

from django_risingwave.streaming.sessions import open_session
from live.conf import MAX_REQUEST_SESSIONS, live_settings
from live.hub_state import NoDataError
from live.logs.repeated_lines import RepeatedLines
from live.users import deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.base import DatabaseWrapper

Answer = TypeVar("Answer")

_lines = RepeatedLines(logging.getLogger(__name__), logging.ERROR)
#: Requests that come while all of these are busy wait for their turn, not longer than for an answer.
_threads = ThreadPoolExecutor(MAX_REQUEST_SESSIONS, thread_name_prefix="rankings-request")


async def ask(alias: str, question: Callable[[], Answer]) -> Answer:
    """Return the answer of a function that queries the database `alias`, as the ORM does.

    Raises NoDataError if it isn't there within REQUEST_WAIT_SECONDS, or if the database can't be read.
    """

    def answer() -> Answer:
        session = open_session(alias)
        # A server that hangs enforces no limit.
        with using(session), deadlines.within(session, live_settings.REQUEST_WAIT_SECONDS):
            return question()

    running = asyncio.get_running_loop().run_in_executor(_threads, answer)
    try:
        return await asyncio.wait_for(running, live_settings.REQUEST_WAIT_SECONDS)
    except TimeoutError:
        report(f"no answer within {live_settings.REQUEST_WAIT_SECONDS:g} s")
        raise NoDataError from None
    except Error as error:
        report(str(error))
        raise NoDataError from error


@contextmanager
def using(session: DatabaseWrapper) -> Iterator[None]:
    """Make a session the one of this thread, with a limit for its queries; close it."""
    connections[session.alias] = session
    try:
        session.limit_queries(live_settings.REQUEST_WAIT_SECONDS)
        yield
    finally:
        # A ranking's own functions may have asked other databases.
        connections.close_all()


def report(reason: str) -> None:
    """Log why a request couldn't read the rankings' database."""
    _lines.log("request", f"request: can't read the rankings' database ({' '.join(reason.split())})")

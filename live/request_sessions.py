"""Sessions in the rankings' database for what one request asks: each in a thread of its own.

Everything that all viewers see comes from the hub. This is for what only one of them asks for: a query that
takes long delays neither the feed nor other viewers.
"""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from django.db import Error, connections
from django.utils.translation import get_language, override

from django_risingwave.streaming.sessions import open_session
from live.users import deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.base import DatabaseWrapper

Answer = TypeVar("Answer")


class RequestThreads:
    """Threads that answer questions of requests. Those that come while all are busy wait for their turn."""

    def __init__(self, count: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def ask(
        self,
        alias: str,
        question: Callable[[DatabaseWrapper], Answer],
        *,
        query_seconds: float | None = None,
        total_seconds: float | None = None,
    ) -> Answer:
        """Return what `question(session)` returns, which may query other databases too.

        The session is ended if the question takes longer than `total_seconds`. Without limits it may take as
        long as it needs. Raises what the question raises, and django.db.Error if the server can't be reached.
        """
        # A thread has no language of its own.
        language = get_language()

        def answer() -> Answer:
            with override(language), request_session(alias, query_seconds) as session:
                if total_seconds is None:
                    return question(session)
                # A server that hangs enforces no limit.
                with deadlines.within(session, total_seconds):
                    return question(session)

        # With the context, by which live.postgresql knows that a viewer waits.
        run = partial(contextvars.copy_context().run, answer)
        return await asyncio.get_running_loop().run_in_executor(self._executor, run)


@contextmanager
def request_session(alias: str, query_seconds: float | None) -> Iterator[DatabaseWrapper]:
    """Make a new session this thread's connection, which the ORM uses too; close all of them afterwards.

    Each query may take `query_seconds`. Raises django.db.Error.
    """
    connections[alias] = session = open_session(alias)
    try:
        session.ensure_connection()
        if query_seconds is not None:
            session.limit_queries(query_seconds)
        yield session
    finally:
        # The question may have asked other databases.
        for connection in connections.all(initialized_only=True):
            with suppress(Error):
                connection.close()

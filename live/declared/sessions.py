"""Questions to the database of the rankings on behalf of a user who declares one.

Each has a session of its own in a thread of its own: a relation that takes long delays neither the feed nor
other requests.
"""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from django.db import Error, connections, router

from django_risingwave.models import MaterializedView
from django_risingwave.streaming.sessions import open_session
from live.conf import HANG_SLACK_SECONDS, live_settings
from live.users import database as users_database
from live.users import deadlines

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper

Answer = TypeVar("Answer")

#: Questions that are asked at the same time. Others wait for their turn.
MAX_QUESTIONS = 2
#: How often longer than one query may take a question may take: it has up to four.
QUERIES_PER_QUESTION = 4

_executor = ThreadPoolExecutor(MAX_QUESTIONS, thread_name_prefix="declaring")


def rankings_alias() -> str:
    """Return the alias of the database of the rankings."""
    return router.db_for_read(MaterializedView)


async def ask(question: Callable[[DatabaseWrapper], Answer], *, is_limited: bool = True) -> Answer:
    """Return what `question(connection)` returns. It may query the database of users too.

    Unless it `is_limited`, it may take as long as it needs.

    Raises what it raises, django.db.Error if the server can't be reached, UsersUnavailableError.
    """
    # With the context, by which live.postgresql knows that a viewer waits.
    run = partial(contextvars.copy_context().run, _ask, question, is_limited)
    return await asyncio.get_running_loop().run_in_executor(_executor, run)


def _ask(question: Callable[[DatabaseWrapper], Answer], is_limited: bool) -> Answer:  # noqa: FBT001 - by partial()
    alias, limit = rankings_alias(), live_settings.QUERY_TIMEOUT_SECONDS
    # The connection of this thread, which the sources use.
    connections[alias] = session = open_session(alias)
    try:
        session.ensure_connection()
        if not is_limited:
            return question(session)
        session.limit_queries(limit)
        with deadlines.within(session, QUERIES_PER_QUESTION * limit + HANG_SLACK_SECONDS):
            return question(session)
    finally:
        for connection in (session, connections[users_database.alias()]):
            with suppress(Error):
                connection.close()

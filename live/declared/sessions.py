"""Questions to the database of the rankings on behalf of a user who declares one, and what is made there."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.db import router

from django_risingwave.models import MaterializedView
from live.conf import HANG_SLACK_SECONDS, live_settings
from live.request_sessions import RequestThreads

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper

Answer = TypeVar("Answer")

#: Questions that are asked at the same time.
MAX_QUESTIONS = 2
#: How often longer than one query may take a question may take: it has up to four.
QUERIES_PER_QUESTION = 4
#: Leading rows that are made or dropped at the same time. On RisingWave, those of a large view take hours.
MAX_CHANGES = 2

_questions = RequestThreads(MAX_QUESTIONS, "declaring")
#: Apart from the questions, so that the form answers while leading rows are made.
_changes = RequestThreads(MAX_CHANGES, "leading-rows")


def rankings_alias() -> str:
    """Return the alias of the database of the rankings."""
    return router.db_for_read(MaterializedView)


async def ask(question: Callable[[DatabaseWrapper], Answer]) -> Answer:
    """Return what `question(connection)` returns. It may query the database of users too.

    Raises what it raises, django.db.Error if the server can't be reached, UsersUnavailableError.
    """
    limit = live_settings.QUERY_TIMEOUT_SECONDS
    return await _questions.ask(
        rankings_alias(),
        question,
        query_seconds=limit,
        total_seconds=QUERIES_PER_QUESTION * limit + HANG_SLACK_SECONDS,
    )


async def change(statements: Callable[[DatabaseWrapper], Answer]) -> Answer:
    """Return what `statements(connection)` returns, which may take as long as it needs. Raises as ask()."""
    return await _changes.ask(rankings_alias(), statements)

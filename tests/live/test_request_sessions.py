"""What requests ask the rankings' database themselves."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest
from django.db import connections

from demo.shop.models import Order
from live.conf import MAX_REQUEST_SESSIONS
from live.hub_state import NoDataError
from live.opened.sessions import ask
from tests.conftest import BOTH

pytestmark = [BOTH, pytest.mark.usefixtures("patience")]


async def test_a_question_is_asked_in_a_thread_with_a_session_of_its_own(insert):
    await insert((1, 1, 1.0, "Ohio"))
    seen: list[object] = []

    def question() -> int:
        seen.extend([threading.current_thread(), connections["risingwave"]])
        return Order.objects.count()

    assert await ask("risingwave", question) == 1
    thread, session = seen
    assert thread is not threading.main_thread()
    assert session.connection is None, "the session is left open"  # type: ignore[attr-defined]


async def test_a_question_that_takes_too_long_is_refused_and_frees_its_thread(orders, settings):
    settings.LIVE_REQUEST_WAIT_SECONDS = 0.2
    goes_on = threading.Event()
    with pytest.raises(NoDataError):
        await ask("risingwave", partial(goes_on.wait, 60))
    goes_on.set()
    settings.LIVE_REQUEST_WAIT_SECONDS = 30
    assert await ask("risingwave", Order.objects.count) == 0


async def test_questions_beyond_the_sessions_wait_for_their_turn(orders):
    goes_on = threading.Event()
    running: set[object] = set()

    def question() -> None:
        running.add(threading.current_thread())
        if len(running) == MAX_REQUEST_SESSIONS:
            goes_on.set()
        assert goes_on.wait(60)

    await asyncio.gather(*(ask("risingwave", question) for _ in range(3 * MAX_REQUEST_SESSIONS)))
    assert len(running) == MAX_REQUEST_SESSIONS


async def test_a_database_that_cannot_be_read_is_told_without_its_error(orders):
    def question() -> None:
        with connections["risingwave"].cursor() as cursor:
            cursor.execute('SELECT * FROM "nothing"')

    with pytest.raises(NoDataError) as raised:
        await ask("risingwave", question)
    assert str(raised.value) == ""

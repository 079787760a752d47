"""How often the database is asked who is logged in, and what a logout closes."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connections
from django.db.backends.utils import CursorWrapper
from django.test import AsyncClient, RequestFactory

from live.conf import LiveSettings
from live.protocol import CloseCode
from live.routing import websocket_application
from live.users import access, logins, notices
from live.users.notices import Channel, announce
from tests.conftest import BOTH
from tests.live.hubs import wait_until
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from queue import SimpleQueue

    from django.http import HttpRequest

pytestmark = BOTH


class Question:
    """Counts how often it is asked."""

    def __init__(self, answer: bool = True) -> None:
        self.answer, self.asked = answer, 0

    async def __call__(self) -> bool:
        self.asked += 1
        await asyncio.sleep(0)
        return self.answer


class Socket:
    def __init__(self) -> None:
        self.open = True
        self.users_lost = False

    def on_logout(self) -> None:
        self.open = False

    def on_users_lost(self) -> None:
        self.users_lost = True


async def test_concurrent_and_later_callers_share_one_answer():
    known, question = logins.Logins(), Question()
    assert all(await asyncio.gather(*(known.is_logged_in("a", question) for _ in range(1000))))
    assert await known.is_logged_in("a", question)
    assert question.asked == 1
    assert await known.is_logged_in("b", question)
    assert question.asked == 2


async def test_an_answer_expires_after_a_few_seconds(settings):
    known, question = logins.Logins(), Question()
    settings.LIVE_LOGIN_CACHE_SECONDS = 0.0
    assert await known.is_logged_in("a", question)
    question.answer = False
    assert not await known.is_logged_in("a", question)
    assert LiveSettings.LOGIN_CACHE_SECONDS.default <= 5


async def test_a_caller_that_is_cancelled_does_not_cancel_the_answer_of_others():
    known, question = logins.Logins(), Question()
    first = asyncio.ensure_future(known.is_logged_in("a", question))
    second = asyncio.ensure_future(known.is_logged_in("a", question))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    assert question.asked == 1


async def test_a_failure_is_not_cached():
    known = logins.Logins()

    async def fail() -> bool:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await known.is_logged_in("a", fail)
    assert await known.is_logged_in("a", Question())


@pytest.mark.parametrize(
    ("engine", "sizes"),
    [
        ("django.contrib.sessions.backends.db", [250]),
        ("django.contrib.sessions.backends.cache", [100, 100, 50]),
    ],
)
async def test_sessions_with_queries_of_their_own_are_looked_up_few_at_a_time(
    settings, monkeypatch, engine, sizes
):
    settings.SESSION_ENGINE = engine
    asked = []

    async def logged_in(keys):
        asked.append(len(keys))
        return set(keys)

    monkeypatch.setattr(logins, "_logged_in", logged_in)
    known = logins.Logins()
    assert all(await asyncio.gather(*(known.look_up(f"{number:08}") for number in range(250))))
    assert asked == sizes


async def test_the_oldest_answers_are_forgotten(monkeypatch):
    monkeypatch.setattr(logins, "MAX_CACHED_SESSIONS", 10)
    known, question = logins.Logins(), Question()
    for number in range(100):
        await known.is_logged_in(str(number), question)
    assert len(known._answers) == 10
    await known.is_logged_in("99", question)
    assert question.asked == 100
    await known.is_logged_in("0", question)
    assert question.asked == 101


KEY = "0123456789abcdef"


def request_of(session_key: str) -> HttpRequest:
    request = RequestFactory().get("/")
    request.session = SessionStore(session_key)
    return request


def log_out() -> None:
    user_logged_out.send(sender=None, request=request_of(KEY), user=None)
    connections["default"].close()


async def test_a_logout_closes_the_sessions_sockets_and_changes_the_answer_at_once():
    known, question = logins.get_logins(), Question()
    mine, others = Socket(), Socket()
    known.add_socket(KEY, mine)
    known.add_socket("other", others)
    assert await known.is_logged_in(logins.session_digest(KEY), question)
    await asyncio.to_thread(log_out)
    await asyncio.sleep(0)
    assert (mine.open, others.open) == (False, True)
    assert not await known.is_logged_in(logins.session_digest(KEY), question)
    known.remove_socket(KEY, mine)
    known.remove_socket("other", others)
    assert not known._sockets
    assert not known._keys


async def test_a_login_changes_the_answer_at_once():
    known = logins.get_logins()
    assert not await known.is_logged_in(logins.session_digest(KEY), Question(answer=False))
    await asyncio.to_thread(logins.on_logged_in, request=request_of(KEY))
    await asyncio.sleep(0)
    assert await known.is_logged_in(logins.session_digest(KEY), Question())
    assert user_logged_in.has_listeners()


#: The session of the held socket, and one of nobody.
HELD, OTHER = (logins.session_digest(key) for key in ("a", "b"))


@pytest.fixture
async def held_socket(transactional_db, settings, listening):
    """A socket of the session "a" on this loop, while a listener runs for it."""
    settings.LIVE_SESSION_CHECK_SECONDS = 1000.0
    known, held_socket = logins.get_logins(), Socket()
    known.add_socket("a", held_socket)
    listener = notices.get_notices()._listener
    assert listener is not None
    yield held_socket
    known.remove_socket("a", held_socket)
    await asyncio.to_thread(listener.join, 60)
    assert notices.get_notices()._listener is None
    assert not listener.is_alive()


async def begun(listening: SimpleQueue[int]) -> int:
    """Wait until the listener listens; return the process ID of its session."""
    return await asyncio.to_thread(listening.get, timeout=DEADLINE_SECONDS)


async def test_a_logout_announced_by_another_process_closes_the_sessions_sockets(held_socket, listening):
    await begun(listening)
    await asyncio.to_thread(announce_and_close, OTHER)
    await asyncio.to_thread(announce_and_close, HELD)
    await wait_until(lambda: not held_socket.open)
    assert not await logins.get_logins().is_logged_in(HELD, Question())
    assert not await logins.get_logins().is_logged_in(OTHER, Question())


async def test_the_listener_reconnects(held_socket, listening):
    lost = await begun(listening)
    await asyncio.to_thread(terminate, lost)
    assert await begun(listening) != lost
    assert held_socket.open
    await asyncio.to_thread(announce_and_close, HELD)
    await wait_until(lambda: not held_socket.open)


def terminate(pid: int) -> None:
    with closing(connections["default"].copy()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


def announce_and_close(session: str) -> None:
    announce(Channel.LOGOUT, session)
    connections["default"].close()


async def test_polls_and_sockets_of_a_session_query_the_database_once(
    site_environment, settings, django_user_model, orders, monkeypatch, patience
):
    settings.LIVE_OPEN = False
    settings.LIVE_LOGIN_CACHE_SECONDS = 60
    user = await django_user_model.objects.acreate_user("ann", password="a-good-password")
    client = AsyncClient()
    await client.aforce_login(user)
    key = client.cookies["sessionid"].value
    assert (await client.get("/api/rankings/")).status_code == 200
    queries: list[str] = []
    execute = CursorWrapper.execute

    def noting(self, sql, params=None):
        if self.db.alias == "default":
            queries.append(sql)
        return execute(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", noting)
    for _ in range(5):
        assert (await client.get("/api/rankings/")).status_code == 200
        assert await access.may_subscribe(key)
    assert queries == []
    assert not await access.may_subscribe(None)
    assert not await access.may_subscribe("no such session")
    assert len(queries) == 1


@pytest.fixture
async def socket(site_environment, settings, django_user_model, orders):
    """A socket of a logged-in user on this loop, and the session's key."""
    settings.LIVE_OPEN = False
    client = AsyncClient()
    await client.aforce_login(await django_user_model.objects.acreate_user("ann", password="a-good-password"))
    key = client.cookies["sessionid"].value
    headers = {"Host": "localhost", "Origin": "http://localhost", "Cookie": f"sessionid={key}"}
    path = "/ws/rankings/?format=json"
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    socket = WebsocketCommunicator(websocket_application, path, headers=encoded)
    await socket.connect(timeout=60)
    assert "hello" in await socket.receive_from(timeout=60)
    yield socket, key
    await socket.disconnect(timeout=60)


async def close_code(socket: WebsocketCommunicator) -> int:
    while (message := await socket.receive_output(timeout=60))["type"] != "websocket.close":
        pass
    code: int = message["code"]
    return code


async def test_a_session_that_ends_without_a_signal_is_closed_by_the_next_check(socket):
    connected, key = socket
    await Session.objects.filter(session_key=key).adelete()
    await logins.get_logins().check_sessions()
    assert await close_code(connected) == CloseCode.LOGIN_REQUIRED
    assert logins.get_logins()._sockets == {}

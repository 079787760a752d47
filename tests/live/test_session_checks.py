"""Which sessions count as logged in, and what closes the sockets of one, in another process too."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from live.users import session_checks
from tests import processes
from tests.conftest import BOTH
from tests.live.test_websocket import messages, subscribe, wait_for_close

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.processes import Server

pytestmark = BOTH


def new_session(name: str = "ann") -> str:
    client = Client()
    client.force_login(User.objects.get_or_create(username=name, defaults={"password": "x"})[0])
    return client.cookies["sessionid"].value


def of(key: str) -> User:
    return User.objects.get(pk=SessionStore(key)["_auth_user_id"])


# By SQL and update(), which send no signal.
ENDINGS = {
    "the user is deactivated": lambda key: User.objects.filter(pk=of(key).pk).update(is_active=False),
    "the password is changed": lambda key: User.objects.filter(pk=of(key).pk).update(password="y"),
    "the user is deleted": lambda key: User.objects.filter(pk=of(key).pk)._raw_delete("default"),
    "the session is deleted": lambda key: Session.objects.filter(pk=key)._raw_delete("default"),
    "the session expires": lambda key: Session.objects.filter(pk=key).update(expire_date=timezone.now()),
    "the session's data are junk": lambda key: Session.objects.filter(pk=key).update(session_data="junk"),
    "the session logs nobody in": lambda key: Session.objects.filter(pk=key).update(
        session_data=SessionStore().encode({})
    ),
}
all_endings = pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)


@all_endings
@pytest.mark.parametrize("engine", ["db", "cached_db"])
def test_a_session_ends_when_django_says_so(end, engine, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    ended, other = new_session(), new_session("bob")
    assert session_checks.logged_in([ended, other, "no such session"]) == {ended, other}
    end(ended)
    assert session_checks.logged_in([ended, other]) == {other}
    request = HttpRequest()
    request.session = SessionStore(ended)
    assert not get_user(request).is_authenticated


def test_a_session_outlives_a_new_secret_key_if_the_old_one_is_a_fallback(settings):
    key = new_session()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    assert session_checks.logged_in([key]) == {key}


def test_a_backend_decides_for_its_users(settings):
    key = new_session()
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    assert session_checks.logged_in([key]) == set()
    key = new_session()
    User.objects.update(is_active=False)
    assert session_checks.logged_in([key]) == {key}


def test_many_sessions_take_two_queries():
    from django.db import connection

    keys = [new_session(f"user{number}") for number in range(10)]
    with CaptureQueriesContext(connection) as queries:
        assert session_checks.logged_in(keys) == set(keys)
    assert len(queries) == 2


@pytest.fixture(scope="module")
def closed_servers(site_environment, tmp_path_factory) -> Iterator[list[Server]]:
    folder = tmp_path_factory.mktemp("closed")
    environment = site_environment | {"LIVE_OPEN": "false"}
    with ExitStack() as stack:
        yield [
            stack.enter_context(processes.daphne(environment, folder / f"log{number}")) for number in range(2)
        ]


def test_sockets_close_in_every_process_without_a_signal(closed_servers, orders):
    """All ways at once, since each waits for the next check."""
    ending = {new_session(f"user{number}"): end for number, end in enumerate(ENDINGS.values())}
    staying = new_session("bob")
    with ExitStack() as stack:

        def open_socket(server: Server, key: str):
            socket = stack.enter_context(
                subscribe(
                    server,
                    "?format=json&rankings=states-by-turnover",
                    origin=server.url,
                    additional_headers={"Cookie": f"sessionid={key}"},
                )
            )
            assert next(message for message in messages(socket) if message["type"] == "ping")
            return socket

        closing = [open_socket(server, key) for server in closed_servers for key in ending]
        kept = [open_socket(server, staying) for server in closed_servers]
        for key, end in ending.items():
            end(key)  # type: ignore[no-untyped-call]
        assert {wait_for_close(socket)[1] for socket in closing} == {4401}
        for socket in kept:
            assert next(message for message in messages(socket) if message["type"] == "ping")

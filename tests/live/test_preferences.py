"""What a user chooses on one browser's page is on the page of another browser."""

from __future__ import annotations

import json
import re
from html import unescape
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from django.db import ProgrammingError

from live import preferences
from live.models import Preferences
from live.users import database as users_database
from live.users.database import UsersUnavailableError
from tests.conftest import BOTH
from tests.live.hubs import wait_until
from tests.live.test_views import get

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.processes import Server

pytestmark = BOTH

STATES, QUANTITY = "states-by-turnover", "products-by-quantity"


class Viewer:
    """A browser that visits a server, with the cookies of a login or without one."""

    def __init__(self, server: Server, session: str = "") -> None:
        self.server = server
        self.cookies = f"sessionid={session}" if session else "nobody=1"

    def page(self, query: str = "") -> str:
        answer = get(self.server, f"/?{query}", Cookie=self.cookies)
        assert answer.status == 200
        return answer.body

    def choose(self, *, with_token: bool = True, **choices: str) -> int:
        """Keep choices as the page's script does; return the status of the answer."""
        answer = get(self.server, "/", Cookie=self.cookies)
        token = re.findall(r'data-token="([^"]+)"', answer.body)
        secret = re.findall(r"csrftoken=\w+", str(answer.headers["Set-Cookie"]))
        headers = {
            "Cookie": "; ".join([self.cookies, *secret]),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        if with_token and token:
            headers["X-CSRFToken"] = token[0]
        connection = HTTPConnection(self.server.host)
        connection.request("POST", "/preferences/", urlencode(choices), headers)
        status = connection.getresponse().status
        connection.close()
        return status


@pytest.fixture
def ann(django_user_model) -> Any:
    return django_user_model.objects.create_user("ann")


@pytest.fixture
def browser_of_ann(server, client, ann, orders) -> Callable[[], Viewer]:
    def login() -> Viewer:
        client.logout()
        client.force_login(ann)
        return Viewer(server, client.cookies["sessionid"].value)

    return login


def board_data(html: str) -> dict[str, Any]:
    [data] = re.findall(r' data-board="([^"]*)"', html)
    found: dict[str, Any] = json.loads(unescape(data))
    return found


def shown(html: str) -> list[str]:
    return re.findall(r'<article class="live-card" id="ranking-[^"]*" data-ranking="([^"]*)"', html)


def test_a_choice_is_there_in_another_browser_and_the_url_wins(browser_of_ann):
    assert (
        browser_of_ann().choose(rankings=f"{QUANTITY},{STATES}", theme="dark", refresh="30", top="10") == 204
    )
    other = browser_of_ann()
    html = other.page()
    assert shown(html) == [QUANTITY, STATES]
    assert ' data-theme="dark"' in html
    assert "top=10" in html
    assert "hx-ws:connect" not in html
    assert 'hx-trigger="every 30000ms' in html
    assert shown(other.page(f"rankings={STATES}")) == [STATES]
    assert 'data-theme="light"' in other.page("theme=light")
    assert "hx-ws:connect" in other.page("refresh=push")
    # Though the settings are rendered once for both, each has a token of its own.
    assert other.choose(theme="light") == 204


def test_an_empty_choice_is_forgotten_and_the_others_stay(browser_of_ann, ann):
    client = browser_of_ann()
    client.choose(theme="dark", top="10")
    client.choose(theme="")
    assert Preferences.objects.get(user=ann).values == {"top": "10"}
    assert board_data(client.page())["kept"] == {"top": "10"}


def test_only_possible_choices_are_kept_and_only_with_the_token(browser_of_ann, ann):
    client = browser_of_ann()
    assert client.choose(theme="pink") == 400
    assert client.choose(colour="red") == 400
    assert client.choose(rankings="gone") == 404
    assert client.choose(with_token=False, theme="dark") == 403
    assert get(client.server, "/preferences/").status == 405
    assert not Preferences.objects.filter(user=ann).exists()


def test_a_browser_without_login_keeps_its_choices_itself(server, orders):
    client = Viewer(server)
    answer = get(server, "/")
    assert board_data(answer.body)["kept"] is None
    assert "data-token" not in answer.body
    assert answer.headers["Set-Cookie"] is None
    assert client.choose(theme="dark") in (401, 403)


async def test_a_page_has_the_defaults_while_the_table_is_missing(monkeypatch, caplog, ann):
    def missing(*args: object, **kwargs: object) -> None:
        raise ProgrammingError('relation "live_preferences" does not exist')

    monkeypatch.setattr(Preferences.objects, "filter", missing)
    assert await preferences.kept_by(ann) == {}
    assert "preferences: can't be read" in caplog.text


def test_the_page_speaks_the_language_that_is_chosen(browser_of_ann):
    client = browser_of_ann()
    assert '<html lang="en"' in client.page()
    client.choose(language="de")
    assert '<html lang="de"' in client.page()
    assert '<html lang="en"' in client.page("language=en")


async def test_a_page_has_the_defaults_while_the_users_are_lost(monkeypatch, ann):
    def lost() -> None:
        raise UsersUnavailableError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(users_database, "check_available", lost)
        assert await preferences.kept_by(ann) == {}
    # Otherwise the outage lasts until a later test lets the database be asked.
    await wait_until(lambda: not users_database._outage.is_on)

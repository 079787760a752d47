"""The page in a real Chromium polls without a socket, reconnects, and rests while it is hidden."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from live.protocol import CloseCode
from tests import processes
from tests.browser import STATES_CARD, badge, hide, requests_of, shows, wait_until
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [BOTH, pytest.mark.browser]


def test_without_a_socket_the_page_polls_every_two_seconds(page, server, orders):
    page.clock.install()
    page.route_web_socket("**", lambda socket: socket.close(code=1011))
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "polling")
    shows(page, "$6")
    statuses = stop_clock(page)
    with requests_of(page) as requests:
        for number in range(1, 4):
            page.clock.run_for(1_999)
            page.clock.run_for(1)
            wait_until(page, lambda: len(statuses()) == number)  # noqa: B023
    assert len(requests) == 3
    assert set(statuses()) <= {200, 304}
    assert statuses()[-1] == 304
    page.clock.resume()
    orders((1, 2, 3.0, "Utah"))
    shows(page, "Utah")


def test_a_poll_replaces_a_state_that_was_pushed_after_the_last_poll(page, server, orders):
    """A state A is polled, and B pushed. When the rows are back at A, the next poll must not get a 304."""
    from demo.shop.models import Order

    orders((1, 2, 3.0, "Ohio"))
    sockets = []
    page.route_web_socket("**", lambda socket: sockets.append((socket, socket.connect_to_server())))
    page.goto(server.url)
    badge(page, "live")
    orders((1, 10, 10.0, "Utah"))
    shows(page, "Utah")
    page.route_web_socket("**", lambda socket: socket.close(code=1011))
    for socket, upstream in sockets:
        upstream.close()
        socket.close(code=1011)
    Order.objects.filter(state="Utah").delete()
    expect(page.locator(STATES_CARD)).not_to_contain_text("Utah")
    badge(page, "polling")


def stop_clock(page: Page) -> Callable[[], list[int | None]]:
    """Stop the page's clock after a poll, so that timers run only in page.clock.run_for().

    Returns the statuses of the polls that the page has handled since, None for one without an answer. Needs
    page.clock.install() before the page is opened.
    """
    page.evaluate(
        """() => {
          window.statuses = [];
          document.addEventListener('htmx:finally:request', ({detail}) => {
            statuses.push(detail.ctx.response?.status ?? null);
          });
        }"""
    )

    def statuses() -> list[int | None]:
        found: list[int | None] = page.evaluate("statuses")
        return found

    # A minute further, the next poll has begun, unless the last one goes on.
    page.clock.pause_at(time.time() + 60)
    wait_until(page, lambda: page.evaluate("statuses.length > 0 && !livePage.isPolling()"))
    page.evaluate("statuses.length = 0")
    return statuses


def test_a_hidden_tab_keeps_no_socket_and_catches_up_when_it_is_shown(page, server, orders):
    page.clock.install()
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "live")
    title, icon = page.title().removeprefix("Live · "), page.locator("link[rel=icon]")
    assert page.title() != title
    with requests_of(page) as requests:
        hide(page, True)
        badge(page, "polling")
        orders((1, 2, 3.0, "Utah"))
        page.clock.run_for(20_000)
    assert requests == []
    # It hears of nothing, so that it tells of no state, nor warns of any.
    expect(page).to_have_title(title)
    expect(icon).not_to_have_attribute("href", re.compile("e0453a"))
    hide(page, False)
    shows(page, "Utah")
    badge(page, "live")
    expect(page).to_have_title(f"Live · {title}")


def test_a_hidden_tab_does_not_poll_and_catches_up_when_it_is_shown(page, server, orders):
    page.clock.install()
    page.route_web_socket("**", lambda socket: socket.close(code=1011))
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "polling")
    with page.expect_response("**/partials/**"):
        pass
    hide(page, True)
    with requests_of(page) as requests:
        orders((1, 2, 3.0, "Utah"))
        page.clock.run_for(10_000)
    assert requests == []
    hide(page, False)
    shows(page, "Utah")


def test_polls_wait_for_as_long_as_the_server_asks(page, site_environment, tmp_path, orders):
    page.clock.install()
    page.route_web_socket("**", lambda socket: socket.close(code=1011))
    port = processes.free_port()
    with processes.daphne(site_environment, tmp_path / "log", port) as server:
        page.goto(server.url)
        badge(page, "polling")
    statuses = stop_clock(page)
    nowhere = f"postgres://nobody@127.0.0.1:{processes.free_port()}/none"
    with processes.daphne(site_environment | {"RISINGWAVE_URL": nowhere}, tmp_path / "log", port):
        with page.expect_response(lambda response: response.status == 503) as refused:
            page.clock.run_for(2_000)
        wait_until(page, lambda: statuses() == [503])
        assert refused.value.headers["retry-after"] == "5"
        with requests_of(page) as requests:
            page.clock.run_for(4_999)
        assert [url for url in requests if "/partials/" in url] == []
        page.clock.run_for(2_000)
        wait_until(page, lambda: len(statuses()) == 2)


def test_a_page_reconnects_after_a_restart_of_the_server(page, site_environment, tmp_path, orders):
    port = processes.free_port()
    orders((1, 2, 3.0, "Ohio"))
    with processes.daphne(site_environment, tmp_path / "log", port) as server:
        page.goto(server.url)
        badge(page, "live")
    badge(page, "reconnecting")
    shows(page, "$6")
    orders((1, 2, 3.0, "Utah"))
    with processes.daphne(site_environment, tmp_path / "log", port):
        badge(page, "live")
        shows(page, "Utah")


@pytest.mark.parametrize(
    "code",
    [
        CloseCode.NORMAL,
        CloseCode.RESTART,
        CloseCode.TOO_MANY_SUBSCRIBERS,
        CloseCode.ASGI_RESTART,
    ],
)
def test_a_page_reconnects_after_a_close_that_allows_it(page, server, orders, code):
    sockets: list[str] = []

    def first_closed(socket: WebSocketRoute) -> None:
        sockets.append(socket.url)
        if len(sockets) == 1:
            socket.close(code=code)
        else:
            socket.connect_to_server()

    page.route_web_socket("**", first_closed)
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    shows(page, "Ohio")
    # A poll would show Utah too.
    page.route("**/partials/**", lambda route: route.abort())
    orders((1, 2, 3.0, "Utah"))
    shows(page, "Utah")
    badge(page, "live")
    assert len(sockets) == 2


@pytest.mark.parametrize(
    "code",
    [code for code in CloseCode if not code.may_reconnect and code != CloseCode.LOGIN_REQUIRED],
)
def test_a_page_polls_after_a_close_that_forbids_reconnecting(page, server, orders, code):
    sockets: list[str] = []

    def closed(socket: WebSocketRoute) -> None:
        sockets.append(socket.url)
        socket.close(code=code)

    page.clock.install()
    page.route_web_socket("**", closed)
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "polling")
    with requests_of(page):
        page.clock.run_for(10_000)
    assert len(sockets) == 1
    orders((1, 2, 3.0, "Utah"))
    shows(page, "Utah")


def test_a_page_that_reconnects_gets_only_the_cards_that_have_changed(page, server, orders):
    sockets: list[tuple[WebSocketRoute, WebSocketRoute]] = []
    cards: list[str] = []

    def recorded(socket: WebSocketRoute) -> None:
        upstream = socket.connect_to_server()
        sockets.append((socket, upstream))

        def pass_on(message: str | bytes) -> None:
            if str(message).startswith("<"):
                cards.append(str(message))
            socket.send(message)

        upstream.on_message(pass_on)

    page.route_web_socket("**", recorded)
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    badge(page, "live")
    shows(page, "$6")
    etag = str(page.locator(STATES_CARD).get_attribute("data-etag"))
    cards.clear()
    socket, upstream = sockets[0]
    upstream.close()
    socket.close(code=1012)
    wait_until(page, lambda: len(sockets) == 2)
    badge(page, "live")
    assert etag in sockets[1][0].url
    orders((1, 2, 3.0, "Utah"))
    shows(page, "Utah")
    assert [card for card in cards if "Utah" in card]
    assert [card for card in cards if etag in card] == []

"""The state that a page shows, in a real Chromium: what is true where the reader sits."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from live.protocol import CloseCode
from tests import processes
from tests.browser import STATES_CARD, badge, shows, wait_until
from tests.conftest import BOTH
from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.processes import Server

pytestmark = [BOTH, pytest.mark.browser]
TIME = re.compile(r"as of \d\d:\d\d:\d\d")


@pytest.fixture(scope="module")
def quick_server(site_environment, tmp_path_factory) -> Iterator[Server]:
    """A server whose pages notice soon that a connection is dead or a request has no answer."""
    log = tmp_path_factory.mktemp("quick") / "log"
    quick = processes.changed(LIVE_PING_SECONDS=0.5, LIVE_POLL_SECONDS=0.5, LIVE_REQUEST_WAIT_SECONDS=0.5)
    with processes.daphne(site_environment | quick, log) as running:
        yield running


@pytest.fixture
def proxy(quick_server: Server) -> Iterator[Proxy]:
    with Proxy(int(quick_server.host.rpartition(":")[2])) as proxy:
        yield proxy


def open_through(proxy: Proxy, page: Page) -> list[str]:
    """Open the page through a proxy; return the addresses of its sockets, also of later ones."""
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(f"http://127.0.0.1:{proxy.port}/")
    badge(page, "live")
    return sockets


def test_a_page_whose_connection_is_forgotten_polls_and_takes_a_new_one(page, proxy, orders):
    """A proxy drops what is sent on the open connections and closes none of them."""
    orders((1, 2, 3.0, "Ohio"))
    sockets = open_through(proxy, page)
    page.evaluate(
        """() => {
          window.states = [];
          new MutationObserver(() => states.push(document.getElementById('badge').dataset.state))
            .observe(document.getElementById('badge'), {attributeFilter: ['data-state']});
        }"""
    )
    opened = len(sockets)
    proxy.swallow()
    proxy.forward()
    wait_until(page, lambda: len(sockets) > opened)
    orders((1, 2, 3.0, "Utah"))
    shows(page, "Utah")
    badge(page, "live")
    assert page.evaluate("states.some(state => state === 'polling' || state === 'reconnecting')")


def test_a_page_that_hears_nothing_is_not_live(page, proxy, orders):
    orders((1, 2, 3.0, "Ohio"))
    open_through(proxy, page)
    proxy.swallow()
    badge(page, "reconnecting")
    # It says both in turns, each for half a second. Each frame is looked at.
    detail = "document.getElementById('badge-detail').textContent"
    page.wait_for_function(f"() => {detail} === 'trying now'")
    page.wait_for_function(f"() => /^in \\d+ s$/.test({detail})")
    expect(page.locator(f"{STATES_CARD} .as-of")).to_have_text(TIME)
    expect(page.locator("time:visible")).to_have_count(0)
    page.context.set_offline(True)
    expect(page.locator("#badge-detail")).to_have_text("this browser is offline")
    page.context.set_offline(False)
    proxy.forward()
    badge(page, "live")
    expect(page.locator(f"{STATES_CARD} time")).to_be_visible()


def test_a_paused_page_counts_changes_by_polls_that_get_304_while_there_are_none(page, quick_server, orders):
    page.route_web_socket("**", lambda socket: socket.close(code=1011))
    orders((1, 2, 3.0, "Ohio"))
    page.goto(quick_server.url)
    shows(page, "$6")
    with page.expect_response(lambda response: response.status == 304):
        pass
    page.get_by_role("button", name="Pause").click()
    orders((1, 2, 30.0, "Utah"))
    expect(page.locator("#badge-detail")).to_contain_text("wait")
    with page.expect_response(lambda response: response.status == 304):
        pass
    expect(page.locator(STATES_CARD)).not_to_contain_text("Utah")
    page.get_by_role("button", name="Resume").click()
    shows(page, "Utah")
    badge(page, "polling")


def hear(page: Page, checked_seconds_ago: int, faults: str = "{}") -> None:
    """Let the page hear a ping, and none of the server's from now on; show at once what follows from it."""
    page.evaluate(
        """([seconds, faults]) => {
          const slugs = Array.from(document.querySelectorAll('[data-ranking]'), card => card.dataset.ranking);
          const checked = new Date(Date.now() - seconds * 1000).toISOString();
          window.hearPing ??= livePage.hearPing;
          livePage.hearPing = () => {};
          hearPing({now: new Date().toISOString(), faults: JSON.parse(faults),
            checked_at: Object.fromEntries(slugs.map(slug => [slug, checked]))});
          livePage.show();
        }""",
        [checked_seconds_ago, faults],
    )


def test_a_ranking_with_a_fault_says_so_on_its_card_only(page, server, orders):
    page.route_web_socket("**", lambda socket: None)
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    shows(page, "Ohio")
    page.clock.install()
    hear(
        page,
        0,
        '{"states-by-turnover": {"reason": "its view doesn\'t exist", "since": "2026-11-23T15:04:05.678Z"}}',
    )
    expect(page.locator(f"{STATES_CARD} .note")).to_have_text("can’t be read: its view doesn’t exist")
    expect(page.locator(".note:visible")).to_have_count(1)
    badge(page, "polling")
    hear(page, 0)
    expect(page.locator(".note:visible")).to_have_count(0)


def test_a_widget_whose_ranking_has_a_fault_is_not_stale(page, server, orders):
    page.route_web_socket("**", lambda socket: None)
    orders((1, 2, 3.0, "Ohio"))
    page.goto(f"{server.url}/embed/states-by-turnover/")
    shows(page, "Ohio")
    page.clock.install()
    hear(page, 0, '{"states-by-turnover": {"reason": "it is gone", "since": "2026-11-23T15:04:05.678Z"}}')
    expect(page.locator("#badge-state")).to_have_text("Can’t be read")
    badge(page, "fault")


def never(page: Page, *times: str) -> None:
    """Let these times of the page that is opened next never pass, such as silentAfter."""
    page.add_init_script(
        """
        new MutationObserver(() => {
          const updates = document.getElementById('live-updates');
          if (updates) for (const time of TIMES) updates.dataset[time] = 9999;
        }).observe(document, {childList: true, subtree: true});
        """.replace("TIMES", json.dumps(times))
    )


def test_rows_are_stale_at_the_moment_that_the_settings_name(page, server, orders):
    sockets: list[WebSocketRoute] = []
    page.route_web_socket("**", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright marks it
    never(page, "silentAfter", "answerWithin")
    page.route("**/partials/**", lambda route: route.abort())
    page.clock.install()
    page.goto(server.url)
    page.clock.pause_at(time.time() + 60.3)
    ping = page.evaluate(
        """() => {
          const now = new Date().toISOString();
          const slugs = Array.from(document.querySelectorAll('[data-ranking]'), card => card.dataset.ranking);
          const checked_at = Object.fromEntries(slugs.map(slug => [slug, now]));
          return JSON.stringify({type: 'ping', now, faults: {}, checked_at});
        }"""
    )
    wait_until(page, lambda: sockets)
    sockets[-1].send(ping)
    badge(page, "live")
    page.clock.run_for(14_900)
    badge(page, "live")
    page.clock.run_for(100)
    assert page.locator("#badge").get_attribute("data-state") == "stale"


def test_a_page_whose_polls_are_answered_drops_a_socket_that_is_not(page, quick_server, orders):
    """A proxy forgot the connection while it was opened."""
    sockets: list[WebSocketRoute] = []

    def first_is_forgotten(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if len(sockets) > 1:
            socket.connect_to_server()

    page.route_web_socket("**", first_is_forgotten)
    never(page, "silentAfter")
    page.goto(quick_server.url)
    badge(page, "live")
    assert len(sockets) > 1


def test_a_page_whose_sockets_are_refused_is_never_live_and_waits_longer_each_time(page, server, orders):
    """The server accepts a socket before it tells why it refuses."""

    def refused(socket: WebSocketRoute) -> None:
        socket.send('{"type": "error", "code": 4513, "reason": "Users can\'t be looked up right now."}')
        socket.close(code=CloseCode.USERS_UNAVAILABLE)

    page.route_web_socket("**", refused)
    page.route("**/partials/**", lambda route: route.fulfill(status=503))
    page.add_init_script(
        """
        window.states = new Set();
        document.addEventListener('DOMContentLoaded', () => {
          new MutationObserver(() => states.add(document.getElementById('badge').dataset.state))
            .observe(document.getElementById('badge'), {attributeFilter: ['data-state']});
        });
        """
    )
    page.goto(server.url)
    badge(page, "reconnecting")
    attempt = "document.getElementById('live-updates')._htmx.ws.connection.attempt"
    wait_until(page, lambda: page.evaluate(attempt) >= 3)
    assert page.evaluate("states.has('reconnecting') && !states.has('live')")


def test_the_last_reading_is_never_older_than_the_last_change(page, server, orders):
    """The first ping after a reconnection may come from a process that reads less often."""
    page.route_web_socket("**", lambda socket: None)
    orders((1, 2, 3.0, "Ohio"))
    page.goto(server.url)
    shows(page, "Ohio")
    changed = page.evaluate(
        f"new Date(document.querySelector('{STATES_CARD} time').dateTime).toLocaleTimeString('en-GB')"
    )
    hear(page, 3600, '{"states-by-turnover": {"reason": "it is gone", "since": "2026-11-23T15:04:05.678Z"}}')
    shown = page.locator(f"{STATES_CARD} .as-of").text_content()
    assert str(shown).removeprefix("as of ") >= changed


def test_a_page_that_is_logged_out_keeps_its_rows_and_offers_the_login(
    page, closed_server, orders, client, django_user_model
):
    client.force_login(django_user_model.objects.create_user("ann"))
    orders((1, 2, 3.0, "Ohio"))
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": closed_server.url}]
    )
    page.goto(f"{closed_server.url}/?utm_source=news")
    badge(page, "live")
    shows(page, "$6")
    client.logout()
    badge(page, "closed")
    detail = page.locator("#badge-detail")
    expect(detail).to_have_text(re.compile(r"you were logged out at \d\d:\d\d · log in"))
    expect(detail.get_by_role("link")).to_have_attribute("href", "/login/?next=%2F")
    shows(page, "$6")
    expect(page.locator("time:visible")).to_have_count(0)

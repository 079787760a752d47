"""Pages of somebody else's with the tags in them, in a real Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, Route, expect

from tests.conftest import BOTH
from tests.live.test_browser import TWO_POLLS, browser, context, let_time_pass, page, patience  # noqa: F401
from tests.live.test_tags import ONE, OTHER, render, static_files  # noqa: F401

if TYPE_CHECKING:
    from tests.processes import Server

pytestmark = [BOTH, pytest.mark.browser]
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"
STATES, ITEMS = "#ranking-states-by-turnover", "#ranking-products-by-quantity"
HTMX = '<script src="/static/live/vendor/htmx-4.0.1/htmx.min.js"></script>'


def open_page(page: Page, server: Server, head: str, body: str) -> None:  # noqa: F811
    """A page of the site, with a strict policy, whose template has the tags."""
    html = f"<!doctype html><html><head><title>A page</title>{head}</head><body>{body}</body></html>"
    headers = {"Content-Security-Policy": POLICY, "Content-Type": "text/html; charset=utf-8"}

    def answer(route: Route) -> None:
        route.fulfill(body=html, headers=headers)

    page.route(f"{server.url}/elsewhere/", answer)
    page.goto(f"{server.url}/elsewhere/")


def own(head: str, body: str) -> tuple[str, str]:
    """What the tags make of head and body, the one request being the same."""
    head, _, body = render(f"{head}<!--body-->{body}").partition("<!--body-->")
    return head, body


@pytest.mark.parametrize("socket", [True, False])
@pytest.mark.parametrize("htmx", ["", " htmx=False"])
def test_rankings_apart_from_each_other_are_live(page, server, orders, socket, htmx):  # noqa: F811
    if not socket:
        page.route_web_socket("**", lambda route: route.close(code=1011))
    orders((1, 2, 3.0, "Ohio"))
    head, body = own(
        f"{{% live_head{htmx} %}}{HTMX if htmx else ''}",
        f"<section>{ONE}</section><p>Text</p><aside>{OTHER}</aside>{{% live_scripts{htmx} %}}",
    )
    scripts: list[str] = []
    page.on("request", lambda request: scripts.append(request.url) if "htmx.min" in request.url else None)
    open_page(page, server, head, body)
    expect(page.locator(f"section {STATES}")).to_contain_text("$6")
    expect(page.locator(f"aside {ITEMS}")).to_contain_text("Espresso Beans")
    page.evaluate("window.mark = 'not reloaded'")
    orders((2, 7, 10.0, "Utah"))
    expect(page.locator(f"section {STATES}")).to_contain_text("$70")
    expect(page.locator(f"aside {ITEMS} .live-row").first).to_contain_text("Green Tea")
    assert page.evaluate("window.mark") == "not reloaded"
    assert len(scripts) == 1
    expect(page.locator(".live-card")).to_have_count(2)


def test_who_has_to_log_in_is_told_so_once(page, closed_server, orders):  # noqa: F811
    """As from an asynchronous view, which doesn't know who is looking."""
    head, body = own("{% live_head %}", ONE + "{% live_scripts %}")
    body = body.replace("data-now=", 'data-login-url="/login/?next=%2Felsewhere%2F" data-now=')
    page.clock.install()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/partials/" in request.url else None)
    loads: list[str] = []
    page.on("load", lambda page: loads.append(page.url))
    open_page(page, closed_server, head, body)
    link = page.locator(STATES).get_by_role("link", name="Log in")
    expect(link).to_have_attribute("href", "/login/?next=%2Felsewhere%2F")
    let_time_pass(page, TWO_POLLS)
    assert len(asked) <= 2
    assert len(loads) == 1

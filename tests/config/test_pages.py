"""The login and the error pages: what search engines, screen readers and narrow screens need of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.template.loader import render_to_string
from django.utils import timezone, translation

from tests.conftest import BOTH
from tests.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client
    from playwright.sync_api import Page

    from tests.processes import Server

PAGES = sorted(path.name for path in (ROOT / "templates").glob("*.html"))


@pytest.mark.usefixtures("site_environment")  # static files
@pytest.mark.parametrize("template", [*PAGES, "live/refusal.html"])
@BOTH
def test_a_page_has_a_title_a_description_a_language_and_one_heading(template: str) -> None:
    context = {"minutes": 2, "until": timezone.now(), "status": 404, "message": "Unknown"}
    with translation.override("de"):
        page = render_to_string(template, context)
    assert '<html lang="de"' in page
    assert re.search(r"<title>\S.* · \S.*</title>", page)
    assert re.search(r'<meta name="description" content="[^"]{20,}">', page)
    assert page.count('<meta name="theme-color"') == 2
    assert page.count("<h1>") == 1


@BOTH
@pytest.mark.browser
def test_the_login_and_the_error_pages_fit_a_narrow_screen_in_both_themes(
    page: Page, server: Server, orders: Callable[..., None]
) -> None:
    page.set_viewport_size({"width": 320, "height": 500})
    backgrounds = set()
    for path in ("/login/", "/nowhere/", f"/rankings/{'x' * 90}/"):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.goto(server.url + path)
            assert page.evaluate("document.documentElement.scrollWidth") == 320
            backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2


@pytest.mark.usefixtures("site_environment")  # static files
@BOTH
def test_a_browser_that_asks_for_an_icon_by_itself_is_led_to_it(client: Client) -> None:
    response = client.get("/favicon.ico")
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/static/live/icon.")

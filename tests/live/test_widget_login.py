"""A closed widget in a real iframe: the login opens in a tab, where it can help."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING

import pytest
from django.test import RequestFactory
from playwright.sync_api import Page, expect

from live.embedding import gets_cookies, iframe
from live.rankings import RANKINGS
from tests import processes
from tests.browser import STATES_CARD
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.processes import Server

#: As in the snippet of the dashboard, which a test below compares with it.
SANDBOX = "allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox"


@pytest.fixture
def blog() -> Iterator[int]:
    """The port of a site with pages that embed the URL in their query string."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            embedded = self.path.partition("?")[2]
            self.wfile.write(f'<iframe src="{embedded}" width="600" sandbox="{SANDBOX}"></iframe>'.encode())

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield site.server_port
        site.shutdown()


@pytest.fixture
def widget_server(site_environment, tmp_path, blog) -> Iterator[Server]:
    ancestors = f"http://127.0.0.1:{blog},http://localhost:{blog}"
    closed = site_environment | {"LIVE_OPEN": "false", "LIVE_FRAME_ANCESTORS": ancestors}
    with processes.daphne(closed, tmp_path / "log") as running:
        yield running


@BOTH
@pytest.mark.browser
def test_the_login_of_a_widget_works_on_its_site_and_is_not_offered_elsewhere(
    context, blog, widget_server, orders, django_user_model
):
    django_user_model.objects.create_user("ann", password="a-good-password")
    orders((1, 2, 3.0, "Ohio"))
    page: Page = context.new_page()
    widget = f"{widget_server.url}/embed/states-by-turnover/"
    # Another host is another site; another port is only another origin.
    page.goto(f"http://localhost:{blog}/?{widget}")
    iframe = page.frame_locator("iframe")
    expect(iframe.locator("body")).to_contain_text("doesn’t send your login")
    expect(iframe.get_by_role("link", name="Log in")).to_have_count(0)
    expect(iframe.get_by_role("link", name="Open the rankings")).to_have_attribute("href", "/")
    page.goto(f"http://127.0.0.1:{blog}/?{widget}")
    with page.expect_popup() as popup:
        iframe.get_by_role("link", name="Log in").click()
    login = popup.value
    login.get_by_label("Name").fill("ann")
    login.get_by_label("Password").fill("a-good-password")
    login.get_by_role("button", name="Log in").click()
    expect(iframe.locator(STATES_CARD)).to_contain_text("$6")
    expect(iframe.locator("#badge")).to_have_attribute("data-state", "live")


@pytest.mark.parametrize(
    ("site", "destination", "samesite", "expected"),
    [
        ("cross-site", "iframe", "Lax", False),
        ("cross-site", "iframe", "Strict", False),
        ("cross-site", "iframe", False, False),
        ("cross-site", "iframe", "None", True),
        ("cross-site", "document", "Lax", True),
        ("same-site", "iframe", "Lax", True),
        ("same-origin", "iframe", "Strict", True),
        ("none", "document", "Lax", True),
        (None, None, "Lax", True),
    ],
)
def test_a_widget_knows_whether_it_gets_the_session(settings, site, destination, samesite, expected):
    settings.SESSION_COOKIE_SAMESITE = samesite
    sent = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": destination}
    request = RequestFactory().get("/", headers={name: text for name, text in sent.items() if text})
    assert gets_cookies(request) is expected


def test_the_snippets_have_the_sandbox_that_the_login_needs():
    document = (processes.ROOT / "docs/embedding.md").read_text()
    offered = iframe(RANKINGS["states-by-turnover"], "https://example.com/embed/states-by-turnover/")
    for snippet in (document, offered):
        assert f'sandbox="{SANDBOX}"' in snippet

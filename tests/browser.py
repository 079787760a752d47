"""A real Chromium for tests: fixtures, which tests/conftest.py imports, and what tests expect of a page."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

#: The selector of the card that ranks states.
STATES_CARD = "#ranking-states-by-turnover"
TIMEOUT_MS = processes.DEADLINE_SECONDS * 1000


@contextmanager
def launched(chromium: str) -> Iterator[Browser]:
    """Run the Chromium at this path until the block ends."""
    # Not imported by tests without a browser.
    from playwright.sync_api import expect, sync_playwright

    flags = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium's sandbox refuses to run as root.
    expect.set_options(timeout=TIMEOUT_MS)
    # Django sees Playwright's event loop. The tests themselves await nothing.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield running
        running.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


# Ends with the module: Playwright's event loop keeps asynchronous tests from running in this thread.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with launched(chromium) as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails its test if it logs an error, such as a violation of the Content-Security-Policy."""
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert [error for error in errors if not is_lost_connection(error)] == []


def is_lost_connection(error: str) -> bool:
    """Return whether Chromium logs a lost connection, which some tests cause on purpose."""
    lost = ("WebSocket connection", "htmx:ws:error", "htmx:error: timeout", "Failed to", "ERR_")
    return any(text in error for text in lost)


def shows(page: Page, text: str) -> None:
    """Wait until the ranking of the states contains a text."""
    from playwright.sync_api import expect

    expect(page.locator(STATES_CARD)).to_contain_text(text)


def badge(page: Page, state: str) -> None:
    """Wait until the badge shows a state."""
    from playwright.sync_api import expect

    expect(page.locator("#badge")).to_have_attribute("data-state", state)


def resize(page: Page, width: int, height: int) -> None:
    """Give the page another size, and wait until it has it."""
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function("size => size.join() === [innerWidth, innerHeight].join()", arg=[width, height])


def hide(page: Page, hidden: bool) -> None:
    """Tell the page that its tab is hidden or shown; headless Chromium does neither."""
    page.evaluate(
        """hidden => {
          Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
          document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )


def wait_until(page: Page, condition: Callable[[], object]) -> None:
    """Wait for what only this process knows, while the page's events arrive."""
    processes.wait_until(condition, sleep=lambda seconds: page.wait_for_timeout(seconds * 1000))


@contextmanager
def requests_of(page: Page) -> Iterator[list[str]]:
    """Collect the URLs of all requests and sockets that the page opens within the block."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.on("websocket", lambda socket: urls.append(socket.url))
    yield urls
    # Events arrive in order: with this request's, those of the block have arrived.
    last = page.evaluate("() => fetch('/healthz/?last').then(response => response.url)")
    wait_until(page, lambda: last in urls)
    del urls[urls.index(last) :]

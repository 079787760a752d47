"""Pages in a real Chromium, and the states that they have shown."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from tests import browser, processes

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Notes each state that the pill shows, with the seconds since the page was opened.
NOTE_STATES = """
(() => {
  window.faultsStates = [];
  setInterval(() => {
    const state = document.getElementById("badge")?.dataset.state;
    if (state && state !== window.faultsStates.at(-1)?.[0]) {
      window.faultsStates.push([state, performance.now() / 1000]);
    }
  }, 50);
})();
"""


class Pages:
    """A browser. It must be used in the thread that has started it."""

    def __init__(self, chromium: str) -> None:
        self.chromium = chromium

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._browser = self._stack.enter_context(browser.launched(self.chromium))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def open(self, url: str, cookie: str = "") -> ShownPage:
        """Open a page, as who has the cookie."""
        context = self._browser.new_context()
        context.set_default_timeout(browser.TIMEOUT_MS)
        if cookie:
            name, _, value = cookie.partition("=")
            context.add_cookies([{"name": name, "value": value, "url": url}])
        page = context.new_page()
        page.add_init_script(NOTE_STATES)
        page.goto(url)
        return ShownPage(page)


class ShownPage:
    """A page of the dashboard."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def state(self) -> str:
        """What the pill shows now: live, polling, stale, fault, reconnecting, paused, closed, or ""."""
        from playwright.sync_api import Error

        try:
            return str(self.page.evaluate("document.getElementById('badge')?.dataset.state ?? ''"))
        except Error:
            if self.page.is_closed():
                raise
            return ""  # The page is being loaded.

    def step(self) -> str:
        """Let the browser's events arrive, and return what the pill shows then."""
        self.sleep(0.05)
        return self.state

    @property
    def states(self) -> list[str]:
        """The states that the pill has shown, in their order."""
        return [state for state, _ in self.page.evaluate("window.faultsStates")]

    def wait_for(self, *states: str, seconds: float = processes.DEADLINE_SECONDS) -> None:
        """Wait until the pill shows one of the states. Raises AssertionError."""
        processes.wait_until(
            lambda: self.state in states,
            lambda: f"The pill has shown {self.states}.",
            seconds,
            sleep=self.sleep,
        )

    def wait_for_login(self) -> None:
        """Wait until the page asks for a login, itself or as the login page. Raises AssertionError."""
        processes.wait_until(
            lambda: "/login/" in self.page.url or self.state == "closed",
            lambda: f"{self.page.url} shows {self.state}.",
            sleep=self.sleep,
        )

    def wait_for_text(self, text: str, seconds: float = processes.DEADLINE_SECONDS) -> None:
        """Wait until the page contains a text. Raises AssertionError."""
        found = f"document.body.textContent.includes({json.dumps(text)})"
        processes.wait_until(lambda: self.page.evaluate(found), lambda: text, seconds, sleep=self.sleep)

    @property
    def is_reloaded(self) -> bool:
        """Whether the page was loaded again since forget_reloads()."""
        return bool(self.page.evaluate("window.faultsKept !== true"))

    def forget_reloads(self) -> None:
        """Remember that the page is the one that it is now."""
        self.page.evaluate("window.faultsKept = true")

    def sleep(self, seconds: float) -> None:
        """Let the browser's events arrive for some seconds."""
        self.page.wait_for_timeout(seconds * 1000)

"""The latency in a real page: from a commit to the document in Chromium."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from benchmarks.peers.trial import Trial

#: Commits, one a second, after which a page must show something.
MAX_ATTEMPTS = 60
#: Records when the largest ten-digit turnover in the document grows.
WATCH = r"""() => {
  window.seen = [];
  let largest = 0;
  const look = () => {
    const found = document.body.textContent.matchAll(/\$(\d,\d{3},\d{3},\d{3})/g);
    for (const [, text] of found) {
      const turnover = Number(text.replaceAll(',', ''));
      if (turnover <= largest) continue;
      largest = turnover;
      seen.push([turnover, performance.timeOrigin + performance.now()]);
    }
  };
  look();
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


def browse(browser: Browser, url: str, trial: Trial) -> list[float]:
    """Return the milliseconds from each commit to the page."""
    page = browser.new_page()
    try:
        page.goto(url)
        wait_until_shown(page, trial)
        page.evaluate(WATCH)
        commits = []
        for _ in range(trial.plan.page_commits):
            page.wait_for_timeout(trial.plan.spacing_seconds * 1000 * random.uniform(0.5, 1))
            turnover, _, moment = trial.orders.commit()
            commits.append((turnover, moment * 1000))
        page.wait_for_function("last => seen.at(-1)?.[0] >= last", arg=turnover, timeout=30_000)
        seen = page.evaluate("seen")
        return [min(at - moment for value, at in seen if value >= turnover) for turnover, moment in commits]
    finally:
        page.close()


def wait_until_shown(page: Page, trial: Trial) -> None:
    """Commit until the page shows something: not every peer sends new viewers the current rows."""
    for _ in range(MAX_ATTEMPTS):
        trial.orders.commit()
        with suppress(PlaywrightTimeoutError):
            page.wait_for_function(
                r"() => /\$\d,\d{3},\d{3},\d{3}/.test(document.body.textContent)", timeout=1_000
            )
            return
    raise TimeoutError(f"{page.url} shows no turnover after {MAX_ATTEMPTS} commits.")

"""The same in a real page: when a commit is in the document in Chromium."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

from playwright.sync_api import TimeoutError as NotYet

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from benchmarks.peers.trial import Trial

#: Seconds in which a page must show something.
ATTEMPTS = 60
#: Notes when the largest turnover of ten digits in the document grows.
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
    """Milliseconds from each of some commits to the page."""
    page = browser.new_page()
    try:
        page.goto(url)
        wait_until_shown(page, trial)
        page.evaluate(WATCH)
        commits = []
        for _ in range(trial.plan.page_commits):
            page.wait_for_timeout(trial.plan.spacing * 1000 * random.uniform(0.5, 1))
            turnover, _, moment = trial.orders.commit()
            commits.append((turnover, moment * 1000))
        page.wait_for_function("last => seen.at(-1)?.[0] >= last", arg=turnover, timeout=30_000)
        seen = page.evaluate("seen")
        return [min(at - moment for value, at in seen if value >= turnover) for turnover, moment in commits]
    finally:
        page.close()


def wait_until_shown(page: Page, trial: Trial) -> None:
    """Commit until the page shows something: not all show what was before they came."""
    for _ in range(ATTEMPTS):
        trial.orders.commit()
        with suppress(NotYet):
            page.wait_for_function(
                r"() => /\$\d,\d{3},\d{3},\d{3}/.test(document.body.textContent)", timeout=1_000
            )
            return
    raise TimeoutError(f"nothing is shown at {page.url}")

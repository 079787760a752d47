"""A site that is watched in every way while something happens to it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.faults.judging import seconds_until
from tests.faults.report import BACK
from tests.faults.site import Site
from tests.faults.viewers import Poller, Subscriber
from tests.faults.writer import Writer
from tests.processes import DEADLINE_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.lab import Database, Lab
    from tests.faults.pages import ShownPage


@dataclass
class Watched:
    """A site, who writes into its database, and who watches it."""

    lab: Lab
    site: Site
    users: Database
    rankings: Database
    writer: Writer
    #: One on each process.
    subscribers: list[Subscriber]
    #: On the last process.
    poller: Poller

    def open_page(self, which: int = 0, cookie: str = "") -> ShownPage:
        """Open the dashboard in Chromium, and wait until its socket is open."""
        page = self.lab.pages.open(self.site.servers[which].url, cookie)
        page.wait_for("live")
        return page

    def record_return(self, *pages: ShownPage, bound: float) -> None:
        """Record the seconds until all subscribers have got new rows and all pages are live."""
        before = [subscriber.updates for subscriber in self.subscribers]
        seconds = seconds_until(
            lambda: all(
                subscriber.updates > count for subscriber, count in zip(self.subscribers, before, strict=True)
            ),
            lambda: str(self.site.logs()),
        )
        for page in pages:
            seconds += seconds_until(lambda page=page: page.step() == "live")  # type: ignore[misc]
        self.lab.record(BACK, seconds, "s", bound=bound)


@contextmanager
def watched(
    lab: Lab,
    users: Database,
    rankings: Database,
    *,
    count: int = 2,
    cookie: str = "",
    environment: dict[str, str] | None = None,
    **settings: Any,
) -> Iterator[Watched]:
    """Run a site with a writer, a subscriber on each process and a poller, until the block ends."""
    site = Site(lab, users, rankings, count=count, environment=environment, **settings)
    with ExitStack() as stack:
        writer = stack.enter_context(Writer(rankings))
        subscribers = [stack.enter_context(Subscriber(site, which, cookie)) for which in range(count)]
        poller = stack.enter_context(Poller(site, count - 1, cookie))
        wait_until(
            lambda: all(each.updates > 2 for each in subscribers), lambda: str(site.logs()), DEADLINE_SECONDS
        )
        yield Watched(lab, site, users, rankings, writer, subscribers, poller)

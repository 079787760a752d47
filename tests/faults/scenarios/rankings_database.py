"""The database of the rankings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.judging import logs_are_short, nothing_is_lost, seconds_until
from tests.faults.report import BACK
from tests.faults.scenario import scenario
from tests.faults.site import Site
from tests.faults.viewers import Poller, Subscriber
from tests.faults.writer import Writer
from tests.processes import wait_until

if TYPE_CHECKING:
    from tests.faults.lab import Lab


@scenario("The database of the rankings is killed and started again while orders come in", quick=True)
def rankings_killed(lab: Lab) -> None:
    users, rankings = lab.databases()
    site = Site(lab, users, rankings)
    with Writer(rankings) as writer, Subscriber(site, 0) as viewer, Poller(site, 1) as poller:
        wait_until(lambda: viewer.rankings and writer.orders > 10)
        rankings.server.kill()
        wait_until(lambda: site.logs().count("can't be read") >= 2, lambda: str(site.logs()))
        rankings.server.start()
        before = viewer.rankings["states-by-turnover"]["etag"]
        back = seconds_until(lambda: viewer.rankings["states-by-turnover"]["etag"] != before)
        lab.record(BACK, back, "s", bound=10)
        nothing_is_lost(lab, site, writer)
    assert not viewer.closed, viewer.closed
    assert set(poller.statuses) == {200}, poller.statuses
    logs_are_short(lab, site)

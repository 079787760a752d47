"""The network between viewers and the server"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.faults.judging import logs_are_short, nothing_is_lost
from tests.faults.proxy import Proxy
from tests.faults.report import BACK, NOTICED
from tests.faults.scenario import scenario
from tests.faults.site import Served, Site
from tests.faults.writer import Writer
from tests.processes import ROOT, Server, wait_until

if TYPE_CHECKING:
    from tests.faults.lab import Lab

#: Seconds after which a page must say that its socket tells nothing: 15 s, a poll, and a busy browser.
NOTICED_SECONDS = 20
#: Seconds within which viewers must be live again: the longest delay of a page, and a busy machine.
BACK_SECONDS = 20


class Remote(Served):
    """A site behind a proxy that fails, as seen by viewers."""

    def __init__(self, lab: Lab, site: Site) -> None:
        self.proxy = lab.stack.enter_context(Proxy(int(site.servers[0].host.rpartition(":")[2])))
        self.servers = [Server(f"127.0.0.1:{self.proxy.port}", site.servers[0].process, site.servers[0].log)]


@scenario("The connections of viewers die without a word, and new ones work: half-open sockets")
def sockets_half_open(lab: Lab) -> None:
    """Both ends stay open; what one sends doesn't reach the other."""
    users, rankings = lab.databases()
    site = Site(lab, users, rankings, count=1)
    remote = Remote(lab, site)
    with Writer(rankings) as writer:
        page = lab.pages.open(remote.servers[0].url)
        page.wait_for("live")
        log = lab.folder / "subscribe.log"
        with log.open("wb") as output:
            program = subprocess.Popen(
                [
                    sys.executable,
                    "-u",
                    "examples/subscribe.py",
                    f"{remote.servers[0].socket_url}?format=json",
                ],
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        lab.stack.callback(program.kill)
        wait_until(lambda: log.stat().st_size, log.read_text)
        # Only the connections that are open now are swallowed.
        remote.proxy.swallow()
        remote.proxy.forward()
        began, size = time.monotonic(), log.stat().st_size
        page.wait_for("polling", "reconnecting", "stale", seconds=NOTICED_SECONDS)
        noticed = time.monotonic() - began
        lab.record(NOTICED, noticed, "s", bound=NOTICED_SECONDS)
        page.wait_for("live", seconds=BACK_SECONDS)
        lab.record(BACK, time.monotonic() - began - noticed, "s", bound=BACK_SECONDS)
        lab.note("states of the page", ", ".join(page.states))
        wait_until(lambda: log.stat().st_size > size, log.read_text)
        went_on = time.monotonic() - began
        lab.record("examples/subscribe.py goes on after", went_on, "s", bound=NOTICED_SECONDS + BACK_SECONDS)
        nothing_is_lost(lab, site, writer)
    logs_are_short(lab, site)


@scenario("Nothing of a viewer's network answers for 30 s, neither sockets nor requests")
def network_gone(lab: Lab) -> None:
    users, rankings = lab.databases()
    site = Site(lab, users, rankings, count=1)
    remote = Remote(lab, site)
    with Writer(rankings) as writer:
        page = lab.pages.open(remote.servers[0].url)
        page.wait_for("live")
        remote.proxy.swallow()
        began = time.monotonic()
        page.wait_for("polling", "reconnecting", "stale", seconds=NOTICED_SECONDS)
        lab.record(NOTICED, time.monotonic() - began, "s", bound=NOTICED_SECONDS)
        while time.monotonic() - began < 30:
            assert page.state != "live", page.states
            page.page.wait_for_timeout(200)
        remote.proxy.forward()
        began = time.monotonic()
        page.wait_for("live", seconds=BACK_SECONDS)
        lab.record(BACK, time.monotonic() - began, "s", bound=BACK_SECONDS)
        lab.note("states of the page", ", ".join(page.states))
        nothing_is_lost(lab, site, writer)
    logs_are_short(lab, site)

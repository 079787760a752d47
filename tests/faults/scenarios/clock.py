"""The clock of one process of two."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.judging import logs_are_short, nothing_is_lost, seconds_until
from tests.faults.lab import SkippedError
from tests.faults.report import NOTICED
from tests.faults.scenario import scenario
from tests.faults.users import add_user
from tests.faults.viewers import Subscriber
from tests.faults.watched import watched

if TYPE_CHECKING:
    from tests.faults.lab import Lab

#: Debian's and others' folders of the package.
LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
)
#: Python's time.sleep() waits for a moment of the monotonic clock. libfaketime 0.9.10 takes that for the time
#: of day, so that the sleep fails, or takes an hour longer.
SLEEP = """
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""
STEP = timedelta(hours=1)
#: A ping every 5 s and a tick of the page, on a busy machine.
MAX_BACK_SECONDS = 10
#: LIVE_STALE_SECONDS, and a tick of the page, on a busy machine.
MAX_NOTICED_SECONDS = 15 + 3
#: Longer than the pings' period and LIVE_STALE_SECONDS.
WATCH_SECONDS = 20


class Clock:
    """The clock of a process, by libfaketime: only the time of day, not the monotonic clock."""

    def __init__(self, folder: Path) -> None:
        """Set the clock right. Raises SkippedError without libfaketime."""
        library = next(filter(Path.exists, map(Path, LIBRARIES)), None)
        if library is None:
            raise SkippedError("libfaketime isn't installed. Install it: apt install libfaketime")
        self.file = folder / "clock"
        self.step(timedelta())
        (folder / "sitecustomize.py").write_text(SLEEP)
        #: https://github.com/wolfcw/libfaketime#4b-using-offsets-for-relative-dates
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(folder),
        }

    def step(self, by: timedelta) -> None:
        """Let the clock differ from the true time."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{by.total_seconds():+.0f}s")
        new.replace(self.file)


def step_clock(lab: Lab, by: timedelta) -> None:
    """Step the clock of the first process; judge its page, and a freeze of the database afterwards."""
    clock = Clock(lab.folder)
    users, rankings = lab.databases()
    cookie = add_user(users, "vera")
    with watched(lab, users, rankings, cookie=cookie) as here:
        here.site.servers[0].process.terminate()
        here.site.servers[0].process.wait(60)
        here.site.servers[0] = here.site.start(0, environment={"LIVE_OPEN": "false"} | clock.environment)
        page = here.open_page(0, cookie)
        states = len(page.states)
        clock.step(by)
        page.sleep(WATCH_SECONDS)
        lab.note("the pill", " → ".join(page.states[states - 1 :]))
        page.wait_for("live", seconds=1)
        now = datetime.fromisoformat(here.subscribers[0].ping["now"])
        assert abs(now - datetime.now(UTC) - by) < timedelta(minutes=1), f"the clock wasn't stepped: {now}"
        with rankings.server.frozen():
            began = time.monotonic()
            page.wait_for("stale")
            lab.record(NOTICED, time.monotonic() - began, "s", bound=MAX_NOTICED_SECONDS)
        here.record_return(page, bound=MAX_BACK_SECONDS)
        nothing_is_lost(lab, here.site, here.writer, processes=[1])
        logs_are_short(lab, here.site)


@scenario("Stepped forward by an hour")
def clock_forward(lab: Lab) -> None:
    step_clock(lab, STEP)


@scenario("Stepped back by an hour")
def clock_back(lab: Lab) -> None:
    step_clock(lab, -STEP)


@scenario("Stepped forward past the end of a session")
def clock_past_a_session(lab: Lab) -> None:
    clock = Clock(lab.folder)
    users, rankings = lab.databases()
    cookie, longer = add_user(users, "vera"), add_user(users, "will")
    half_an_hour = datetime.now(UTC) + STEP / 2
    users.query(
        "UPDATE django_session SET expire_date = %s WHERE session_key = %s",
        half_an_hour,
        cookie.partition("=")[2],
    )
    environment = {"LIVE_OPEN": "false"} | clock.environment
    with (
        watched(lab, users, rankings, count=1, cookie=cookie, environment=environment) as here,
        Subscriber(here.site, 0, longer) as stays,
    ):
        clock.step(STEP)
        seconds = seconds_until(
            lambda: here.subscribers[0].closed, lambda: f"{here.subscribers[0].ping}\n{here.site.logs()}"
        )
        assert here.subscribers[0].closed[-1].code == 4401
        lab.record("its socket closed after", seconds, "s", bound=MAX_BACK_SECONDS)
        assert here.site.get("/", 0, Cookie=cookie).status == 302
        assert not stays.closed
        count = stays.updates
        seconds = seconds_until(lambda: stays.updates > count)
        lab.record("the next rows of another session came after", seconds, "s", bound=MAX_BACK_SECONDS)
        logs_are_short(lab, here.site)

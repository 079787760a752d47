"""What every scenario of a database is judged by, whatever the fault."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING

from tests.faults.report import LOG_LINES
from tests.processes import DEADLINE_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tests.faults.lab import Lab
    from tests.faults.site import Site
    from tests.faults.writer import Writer

#: Lines that a process may log in a minute: the begin and the end of the outages of a handful of things.
MAX_LOG_LINES = 20


def seconds_until(
    condition: Callable[[], object], explain: Callable[[], str] = str, seconds: float = DEADLINE_SECONDS
) -> float:
    """Wait until the condition is true, and return how long it took. Raises AssertionError."""
    began = time.monotonic()
    wait_until(condition, explain, seconds)
    return time.monotonic() - began


def sums(site: Site, which: int) -> dict[str, float | None]:
    """Return the sums of turnover and quantity over all rows, as a process answers them. Raises OSError."""
    answer = site.get("/api/rankings/", which)
    if answer.status != 200:
        return {}
    totals = {each["ranking"]: each["totals"] or {} for each in json.loads(answer.body)["rankings"]}
    return {
        "states": totals["states-by-turnover"].get("sum"),
        "turnover": totals["products-by-turnover"].get("sum"),
        "quantity": totals["products-by-quantity"].get("sum"),
    }


def nothing_is_lost(lab: Lab, site: Site, writer: Writer, processes: Collection[int] | None = None) -> None:
    """End the writer and wait until every process, or each of `processes`, answers its sums."""
    writer.end()
    asked = range(len(site.servers)) if processes is None else processes
    turnover = float(writer.turnover)
    wanted = {"states": turnover, "turnover": turnover, "quantity": writer.quantity}
    for which in asked:
        wait_until(
            partial(_answers, site, which, wanted),
            lambda: f"The processes answer {[sums(site, each) for each in asked]}, not {wanted}.",
        )
    lab.note("nothing lost", f"{writer.orders} orders, their sums exact in {len(asked)} processes")


def _answers(site: Site, which: int, wanted: dict[str, float]) -> bool:
    return sums(site, which) == wanted


def logs_are_short(lab: Lab, site: Site, bound: int = MAX_LOG_LINES) -> None:
    """Record the log lines of the worst process and minute. Raises AssertionError for a traceback."""
    logs = site.logs()
    lab.record(LOG_LINES, logs.most_lines_in_a_minute, bound=bound)
    assert not logs.tracebacks, f"There are {logs.tracebacks} tracebacks in the logs:\n{logs}"

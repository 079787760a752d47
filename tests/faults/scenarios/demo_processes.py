"""The processes of `make demo`"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tests.demo.running import Demo, is_gone
from tests.faults.judging import seconds_until
from tests.faults.report import BACK
from tests.faults.scenario import scenario
from tests.processes import wait_until

if TYPE_CHECKING:
    from tests.faults.lab import Lab

#: Seconds within which the page must show new orders again: the pause before a restart, and a start on a busy
#: machine.
BACK_SECONDS = 30


@scenario("The web server of `make demo` is killed")
def demo_web_server_killed(lab: Lab) -> None:
    kill(lab, "daphne")


@scenario("The generator of `make demo` is killed")
def demo_generator_killed(lab: Lab) -> None:
    kill(lab, "generate_orders")


@scenario("PostgreSQL of `make demo` is killed")
def demo_postgresql_killed(lab: Lab) -> None:
    kill(lab, None)


def kill(lab: Lab, program: str | None) -> None:
    """Kill a program of the demo, or its PostgreSQL. It is back soon, or all ends with a reason."""
    demo = Demo(lab.folder / "demo").wait_until_up()
    lab.stack.callback(stop, demo)
    wait_until(lambda: demo.child("generate_orders"), demo.output)
    process = demo.child(program) if program else demo.postgres()
    assert process is not None
    process.kill()
    wait_until(lambda: is_gone(process), demo.output)
    before = orders_shown(demo)
    seconds = seconds_until(
        lambda: demo.process.poll() is not None or orders_shown(demo) not in (None, before),
        demo.output,
        BACK_SECONDS,
    )
    if demo.process.poll() is None:
        lab.record(BACK, seconds, "s", bound=BACK_SECONDS)
    else:
        assert demo.process.returncode == 1, demo.output()
        lab.note("all ends", demo.output().splitlines()[-1])
    assert "Traceback" not in demo.output(), demo.output()


def stop(demo: Demo) -> None:
    """Stop the demo if it runs."""
    if demo.process.poll() is None:
        demo.press_ctrl_c()


def orders_shown(demo: Demo) -> Any:
    """Return what the page says of the orders; None while it doesn't answer."""
    with suppress(OSError):
        rankings = json.loads(demo.get("/api/rankings/"))["rankings"]
        return [each["totals"] for each in rankings]
    return None

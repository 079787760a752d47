"""Processes of `make demo` that are killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo import postgres
from tests.demo.running import is_gone
from tests.processes import wait_until

if TYPE_CHECKING:
    import psutil

    from tests.demo.running import Demo


def test_a_killed_postgresql_is_restarted_and_the_page_recovers(start):
    demo = start().wait_until_up()
    before = demo.get("/api/rankings/")
    killed = demo.postgres()
    killed.kill()
    wait_until(lambda: is_gone(killed) and postgres.is_running(demo.folder / "postgres"), demo.output)
    wait_until(lambda: demo.get("/api/rankings/") != before, demo.output)
    assert demo.output().count("PostgreSQL stopped unexpectedly; restarting it") == 1


def test_a_killed_order_generator_is_restarted(start):
    demo = start().wait_until_up()
    # It starts before the page is there, so that the page changes from the beginning.
    killed = demo.child("generate_orders")
    assert killed
    killed.kill()
    wait_until(lambda: demo.child("generate_orders") not in (None, killed), demo.output)
    assert "The order generator stopped with exit code -9; restarting it in 2 s" in demo.output()


def kill_web_server(demo: Demo) -> psutil.Process:
    wait_until(lambda: demo.child("daphne"), demo.output)
    server = demo.child("daphne")
    assert server
    server.kill()
    wait_until(lambda: is_gone(server) and demo.child("daphne") != server, demo.output)
    return server


def test_a_killed_web_server_is_restarted_but_not_for_ever(start):
    demo = start(GENERATE_RATE="0").wait_until_up()
    processes = demo.all_processes()
    kill_web_server(demo)
    wait_until(demo.answers, demo.output)
    for _ in range(3):
        kill_web_server(demo)
    assert demo.wait_for_end() == 1
    assert demo.output().count("The web server stopped with exit code -9; restarting it") == 3
    assert demo.output().splitlines()[-1] == (
        "The web server stopped with exit code -9, 4 times within 60 s. Its log is above."
    )
    wait_until(lambda: all(map(is_gone, processes)))


def test_nothing_of_a_killed_demo_goes_on_and_the_next_demo_starts_at_once(start):
    demo = start().wait_until_up()
    wait_until(lambda: demo.child("generate_orders"), demo.output)
    processes = demo.all_processes()
    demo.process.kill()
    following = start()
    wait_until(lambda: all(map(is_gone, processes)))
    following.wait_until_up()
    assert following.press_ctrl_c() == 0

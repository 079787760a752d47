"""Processes of `make demo` that are killed."""

from __future__ import annotations

import psutil

from demo import postgres
from tests.demo.running import is_gone
from tests.processes import wait_until


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
    wait_until(lambda: demo.child("generate_orders"), demo.output)
    killed = demo.child("generate_orders")
    assert killed
    killed.kill()
    wait_until(lambda: demo.child("generate_orders") not in (None, killed), demo.output)
    assert "The order generator stopped with exit code -9; restarting it in 2 s" in demo.output()


def test_the_demo_stops_when_the_web_server_is_killed(start):
    demo = start().wait_until_up()
    processes = demo.all_processes()
    server = demo.child("daphne")
    assert server
    server.kill()
    assert demo.wait_for_end() == 1
    assert demo.output().splitlines()[-1] == "The web server stopped with exit code -9. Its log is above."
    wait_until(lambda: all(map(is_gone, processes)))


def test_the_children_of_a_killed_demo_stop_and_the_next_demo_takes_over_postgresql(start):
    demo = start().wait_until_up()
    wait_until(lambda: demo.child("generate_orders"), demo.output)
    children = psutil.Process(demo.process.pid).children()
    postgres = demo.postgres()
    demo.process.kill()
    wait_until(lambda: all(map(is_gone, children)))
    demo = start().wait_until_up()
    assert demo.postgres() == postgres
    assert demo.press_ctrl_c() == 0
    wait_until(lambda: is_gone(postgres))

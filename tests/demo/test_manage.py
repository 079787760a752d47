"""manage.py beside `make demo`."""

from __future__ import annotations

from tests.demo.running import manage


def test_manage_py_uses_the_databases_of_the_demo_beside_it(folder, start):
    demo = start(GENERATE_RATE="0").wait_until_up()
    before = demo.count_orders()
    generated = manage(folder, "generate_orders", "--count", "5")
    assert generated.returncode == 0, generated.stderr
    assert demo.count_orders() == before + 5


def test_the_environment_of_manage_py_overrides_that_of_the_demo(folder):
    refused = manage(folder, "generate_orders", "--count", "5", RISINGWAVE_URL="postgres://127.0.0.1:1/dev")
    assert 'Can\'t reach the database "dev" at 127.0.0.1:1' in refused.stderr


def test_manage_py_asks_whether_the_demo_is_running_when_its_databases_are_gone(folder):
    refused = manage(folder, "migrate")
    assert refused.returncode == 1
    *_, note = refused.stderr.splitlines()
    assert note == f"Is the demo running? `make demo` has written {folder / 'environment'}."


def test_a_demo_that_ran_once_does_not_open_a_server_that_is_started_by_hand(folder):
    shown = manage(folder, "shell", "-c", "from django.conf import settings; print(settings.LIVE_OPEN)")
    assert shown.stdout.splitlines()[-1] == "False", shown.stderr

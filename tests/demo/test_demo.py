"""What `make demo` does. Most tests have the folder of a demo that ran before."""

from __future__ import annotations

import json
import os
import signal
import stat
import urllib.error
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from demo import postgres
from tests.demo.running import is_gone
from tests.processes import wait_until

if TYPE_CHECKING:
    from tests.demo.running import Demo


def all_compared(demo: Demo, path: str) -> bool:
    """Whether each ranking at this address of the JSON API has been compared with its history."""
    return all(ranking["compared_with"] for ranking in json.loads(demo.get(path))["rankings"])


def test_the_demo_starts_from_nothing_and_serves_rankings_of_100_000_order_lines_that_keep_changing(
    tmp_path, start
):
    demo = start(tmp_path / ".demo", LIVE_HISTORY="true").wait_until_up()
    first = demo.get("/api/rankings/")
    assert [len(ranking["rows"]) for ranking in json.loads(first)["rankings"]] == [5, 5, 5, 5]
    # The history of the ten days before is there with the first page.
    last_week = (datetime.now(UTC) - timedelta(days=6)).strftime("%Y-%m-%dT%H:%MZ")
    for path in ("/api/rankings/", "/api/rankings/?window=7d", f"/api/rankings/?at={last_week}"):
        # A request waits for the first read of a window, but on a busy machine not long enough.
        wait_until(partial(all_compared, demo, path), demo.output)
        for ranking in json.loads(demo.get(path))["rankings"]:
            assert all(isinstance(row["movement"], int | str) for row in ranking["rows"]), path
    assert demo.count_orders() >= 100_000
    wait_until(lambda: demo.get("/api/rankings/") != first)
    for step in (
        "Starting PostgreSQL",
        "Collecting static files",
        "Migrating",
        "Inserting 100,000 order lines",
        "Writing the history of the rankings",
    ):
        assert step in demo.output()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_leaves_no_process(start, number):
    demo = start().wait_until_up()
    wait_until(lambda: demo.child("generate_orders"), demo.output)
    processes = demo.all_processes()
    assert len(processes) > 4
    os.killpg(demo.process.pid, number)
    assert demo.wait_for_end() == 0
    wait_until(lambda: all(map(is_gone, processes)), lambda: str([p for p in processes if not is_gone(p)]))
    assert demo.output().splitlines()[-1] == "Stopping"


def test_ctrl_c_while_postgresql_starts_leaves_no_process(tmp_path, start):
    demo = start(tmp_path / ".demo")
    wait_until(lambda: "Starting PostgreSQL" in demo.output(), demo.output)
    assert demo.press_ctrl_c() == 0
    assert not postgres.is_running(demo.folder / "postgres")


def test_a_second_run_continues_with_the_data_of_the_first_and_repeats_no_step(start):
    demo = start(GENERATE_RATE="0").wait_until_up()
    orders = demo.count_orders()
    password = (demo.folder / "password").read_text()
    demo.press_ctrl_c()
    demo = start(GENERATE_RATE="0").wait_until_up()
    assert demo.count_orders() == orders
    assert f"demo, password {password}" in demo.output()
    assert demo.child("generate_orders") is None
    for step in ("Collecting", "Updating", "Migrating", "Inserting"):
        assert step not in demo.output()


def test_reset_deletes_the_data_of_the_demo_and_nothing_else(folder, start):
    password = (folder / "password").read_text()
    (folder / "letter").write_text("Dear Sir")
    demo = start(RESET="1", GENERATE_RATE="0").wait_until_up()
    assert demo.count_orders() == 100_000
    assert (folder / "password").read_text() != password
    assert (folder / "letter").read_text() == "Dear Sir"


def test_only_the_owner_can_read_the_files_with_secrets(folder):
    for name in ("environment", "password", "secret_key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_the_demo_user_can_add_rankings_and_view_orders_in_the_admin_and_nothing_else(start):
    demo = start(GENERATE_RATE="0").wait_until_up()
    user = "FROM auth_user WHERE username = 'demo' AND is_staff AND NOT is_superuser"
    assert demo.query("dashboard", f"SELECT count(*) {user}") == 1
    permissions = (
        "SELECT string_agg(codename, ',' ORDER BY codename) FROM auth_user_user_permissions "
        "JOIN auth_permission ON auth_permission.id = permission_id"
    )
    assert demo.query("dashboard", permissions) == "add_ranking,view_order"


def test_the_databases_of_an_earlier_version_are_carried_over(start):
    demo = start(GENERATE_RATE="0").wait_until_up()
    orders = demo.count_orders()
    for database in ("dashboard", "risingwave"):
        demo.query(database, "UPDATE django_migrations SET app = 'shop' WHERE app = 'demo_shop'")
    demo.query("dashboard", "UPDATE django_content_type SET app_label = 'shop' WHERE app_label = 'demo_shop'")
    demo.press_ctrl_c()
    demo = start(GENERATE_RATE="0").wait_until_up()
    for database in ("dashboard", "risingwave"):
        assert f'Updating the database "{database}"' in demo.output()
    assert "Migrating" not in demo.output()
    assert demo.count_orders() == orders
    assert len(json.loads(demo.get("/api/rankings/"))["rankings"]) == 4


def test_a_changed_password_is_kept_and_the_old_one_is_not_printed(start):
    demo = start(GENERATE_RATE="0").wait_until_up()
    password = "SELECT password FROM auth_user WHERE username = 'demo'"
    original = demo.query("dashboard", password)
    demo.query("dashboard", "UPDATE auth_user SET password = '!'")
    demo.press_ctrl_c()
    demo = start(GENERATE_RATE="0").wait_until_up()
    assert demo.query("dashboard", password) == "!"
    assert "demo, with the password that you set" in demo.output()
    demo.query("dashboard", f"UPDATE auth_user SET password = '{original}'")


def test_on_loopback_no_login_is_needed_unless_live_open_is_false(start):
    demo = start(GENERATE_RATE="0").wait_until_up()
    assert json.loads(demo.get("/api/rankings/"))
    demo.press_ctrl_c()
    demo = start(GENERATE_RATE="0", LIVE_OPEN="false").wait_until_up()
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        demo.get("/api/rankings/")
    refused.value.close()


def test_on_all_addresses_a_login_is_needed(start):
    demo = start(GENERATE_RATE="0", HOST="0.0.0.0").wait_until_up()
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        demo.get("/api/rankings/")
    refused.value.close()
    assert "Other machines can use the host names in ALLOWED_HOSTS" in demo.output()


def test_given_servers_are_used_instead_of_the_embedded_postgresql(tmp_path, start):
    server = postgres.start(tmp_path / "postgres")
    try:
        urls = {
            "DATABASE_URL": postgres.url("dashboard", tmp_path / "postgres"),
            "RISINGWAVE_URL": postgres.url("risingwave", tmp_path / "postgres"),
        }
        demo = start(tmp_path / ".demo", **urls).wait_until_up()
        assert len(json.loads(demo.get("/api/rankings/"))["rankings"]) == 4
        assert not (demo.folder / "postgres").exists()
        assert demo.press_ctrl_c() == 0
        assert postgres.is_running(tmp_path / "postgres")
    finally:
        server.stop()

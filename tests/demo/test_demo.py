"""`make demo`, with real processes: each test has the folder of a demo that ran before."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import psutil
import psycopg2
import pytest

from demo import postgres
from tests.processes import ROOT, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Variables of the tests' own servers or of the user's shell, which a demo of the tests must not inherit.
NOT_INHERITED = {
    *(
        "ALLOWED_HOSTS",
        "DATABASE_URL",
        "DEMO_DIR",
        "DJANGO_SETTINGS_MODULE",
        "ENVIRONMENT_FILE",
        "EXTRA_APPS",
    ),
    *("EXTRA_APPS", "GENERATE_RATE", "HOST", "LIVE_OPEN", "PORT", "RESET", "RISINGWAVE_URL"),
    *("SECRET_KEY", "STATIC_ROOT"),
}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}


class Demo:
    """A `make demo` on the data in `folder`."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = int(environment.setdefault("PORT", str(free_port())))
        self.log = folder.parent / f"log-{self.port}"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo"],
                cwd=ROOT,
                env=ENVIRONMENT | {"DEMO_DIR": str(folder)} | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Like a shell: Ctrl-C goes to the process group.
                process_group=0,
            )

    def output(self) -> str:
        return self.log.read_text()

    def wait_until_up(self) -> Demo:
        wait_until(lambda: self.process.poll() is not None or "Press Ctrl-C" in self.output(), self.output)
        assert self.process.poll() is None, self.output()
        return self

    def wait_for_end(self) -> int:
        return self.process.wait(30)

    def press_ctrl_c(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)
        return self.wait_for_end()

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
            return response.read().decode()

    def postgres(self) -> psutil.Process:
        process = postgres.find_process(self.folder / "postgres")
        assert process
        return process

    def child(self, program: str) -> psutil.Process | None:
        for process in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if program in process.cmdline():
                    return process
        return None

    def all_processes(self) -> list[psutil.Process]:
        supervisor = psutil.Process(self.process.pid)
        postgres = self.postgres()
        return [
            supervisor,
            *supervisor.children(recursive=True),
            postgres,
            *postgres.children(recursive=True),
        ]

    def query(self, database: str, sql: str) -> Any:
        url = postgres.url(database, self.folder / "postgres")
        with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone() if cursor.description else None
            return row and row[0]

    def count_orders(self) -> int:
        return int(self.query("risingwave", "SELECT count(*) FROM orders"))


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo that ran before and was stopped."""
    folder = tmp_path_factory.mktemp("demo") / ".demo"
    demo = Demo(folder).wait_until_up()
    assert demo.press_ctrl_c() == 0
    return folder


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Demo]]:
    """A function that starts a demo; demos that still run after the test are stopped."""
    started = []

    def start(folder: Path = folder, **environment: str) -> Demo:
        started.append(Demo(folder, **environment))
        return started[-1]

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.wait_for_end()


# What it does


def test_the_demo_starts_from_nothing_and_serves_rankings_of_100_000_order_lines_that_keep_changing(
    tmp_path, start
):
    demo = start(tmp_path / ".demo").wait_until_up()
    first = demo.get("/api/rankings/")
    assert [len(ranking["rows"]) for ranking in json.loads(first)["rankings"]] == [5, 5, 5, 5]
    assert demo.count_orders() >= 100_000
    wait_until(lambda: demo.get("/api/rankings/") != first)
    for step in (
        "Starting PostgreSQL",
        "Collecting static files",
        "Migrating",
        "Inserting 100,000 order lines",
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


def test_the_demo_user_can_view_orders_in_the_admin_and_nothing_else(start):
    demo = start(GENERATE_RATE="0").wait_until_up()
    user = "FROM auth_user WHERE username = 'demo' AND is_staff AND NOT is_superuser"
    assert demo.query("dashboard", f"SELECT count(*) {user}") == 1
    permissions = (
        "SELECT string_agg(codename, ',') FROM auth_user_user_permissions "
        "JOIN auth_permission ON auth_permission.id = permission_id"
    )
    assert demo.query("dashboard", permissions) == "view_order"


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


def manage(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py as a user does beside the demo in `folder`."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=ENVIRONMENT | {"ENVIRONMENT_FILE": str(folder / "environment")} | environment,
        check=False,
        capture_output=True,
        text=True,
    )


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


def test_extra_apps_of_the_user_are_added_to_the_shop(start):
    start(GENERATE_RATE="0", EXTRA_APPS="django.contrib.humanize").wait_until_up()


# Invalid input: one or two lines, and exit code 1


def test_a_second_demo_on_the_same_data_is_refused(start):
    first = start(GENERATE_RATE="0").wait_until_up()
    second = start()
    assert second.wait_for_end() == 1
    assert second.output() == (
        f"The demo is already running (PID {first.process.pid}, http://127.0.0.1:{first.port}/) "
        f"on the data in {first.folder}. Stop it first, or set DEMO_DIR to another folder.\n"
    )
    assert first.process.poll() is None


def test_a_port_in_use_is_refused_before_anything_starts(tmp_path, start):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        demo = start(tmp_path / ".demo", PORT=str(port))
        assert demo.wait_for_end() == 1
        assert (
            demo.output()
            == f"Port {port} is already in use. Choose another port: make demo PORT={port + 1}\n"
        )


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1"])
def test_a_host_that_is_not_an_address_of_this_machine_is_refused(tmp_path, start, host):
    demo = start(tmp_path / ".demo", HOST=host)
    assert demo.wait_for_end() == 1
    (line,) = demo.output().splitlines()
    assert f"HOST={host}" in line


@pytest.mark.parametrize("variable", ["DATABASE_URL", "RISINGWAVE_URL"])
def test_an_unreachable_server_is_reported_by_its_address_without_the_password(start, variable):
    demo = start(**{variable: "postgres://root:geheim@127.0.0.1:1/dev"})
    assert demo.wait_for_end() == 1
    *_, unreachable, check = demo.output().splitlines()
    assert unreachable.startswith('Can\'t reach the database "dev" at 127.0.0.1:1: ')
    assert check == f"Check that the server runs, and the host, port, name, user and password in {variable}."
    assert "geheim" not in demo.output()
    assert not postgres.is_running(demo.folder / "postgres")


def test_data_of_another_postgresql_version_are_refused(tmp_path, start):
    data = tmp_path / ".demo" / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    demo = start(tmp_path / ".demo")
    assert demo.wait_for_end() == 1
    assert f"{data} holds data of PostgreSQL 16, but the demo runs PostgreSQL 18." in demo.output()
    assert "Traceback" not in demo.output()


@pytest.mark.parametrize("database", ["dashboard", "risingwave"])
def test_data_of_a_later_version_of_the_project_are_refused(start, database):
    demo = start(GENERATE_RATE="0").wait_until_up()
    demo.query(database, "INSERT INTO django_migrations VALUES (999999, 'live', '9999_later', now())")
    demo.press_ctrl_c()
    demo = start()
    assert demo.wait_for_end() == 1
    *_, what, advice = demo.output().splitlines()
    assert what.startswith(f'The database "{database}"')
    assert what.endswith("has a migration that this version of the project doesn't have: live.9999_later")
    assert advice == "Use the version that made it, or start afresh: make demo RESET=1"
    server = postgres.start(demo.folder / "postgres")
    demo.query(database, "DELETE FROM django_migrations WHERE name = '9999_later'")
    server.stop()


# Crashes


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

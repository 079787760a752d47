"""What `make demo` refuses: it prints one or two lines, and exits with code 1."""

from __future__ import annotations

import re
import socket
import subprocess

import pytest

from demo import postgres


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
    demo = start(**{variable: "postgres://root:top-secret@127.0.0.1:1/dev"})
    assert demo.wait_for_end() == 1
    started, *_, unreachable, check = demo.output().splitlines()
    in_place = " in place of RisingWave" if variable == "DATABASE_URL" else ""
    assert started == f"Starting PostgreSQL{in_place}"
    assert unreachable.startswith('Can\'t reach the database "dev" at 127.0.0.1:1: ')
    assert check == f"Check that the server runs, and the host, port, name, user and password in {variable}."
    assert "top-secret" not in demo.output()
    assert not postgres.is_running(demo.folder / "postgres")


def test_data_of_another_postgresql_version_are_refused(tmp_path, start):
    data = tmp_path / ".demo" / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    demo = start(tmp_path / ".demo")
    assert demo.wait_for_end() == 1
    assert f"{data} holds data of PostgreSQL 16, but the embedded server is PostgreSQL 18." in demo.output()
    assert "Traceback" not in demo.output()


def test_a_full_disk_is_said(tmp_path, start):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20M", "tmpfs", tmp_path], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    try:
        demo = start(tmp_path / ".demo")
        assert demo.wait_for_end() == 1
        assert re.search(r"No space left on device: \d+ MB are free, and it needs 64 MB", demo.output())
        assert "Traceback" not in demo.output()
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)


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

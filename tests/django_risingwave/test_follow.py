"""`manage.py follow` prints changes, as a table in a terminal and as JSON lines in a pipe."""

from __future__ import annotations

import datetime as dt
import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import contextmanager
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from django_risingwave.streaming.following.change_formats import TextTable, json_line
from django_risingwave.streaming.following.follower import RowChange
from django_risingwave.streaming.migration_operations import CreateSubscription, CreateTable
from tests.django_risingwave.models import Event
from tests.django_risingwave.streaming.migrating import kind_total, migrate
from tests.processes import DEADLINE_SECONDS, ROOT, database_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper


@pytest.fixture
def events(standin: DatabaseWrapper) -> DatabaseWrapper:
    subscription = CreateSubscription("kind_total_changes", source="kind_total")
    migrate(standin, CreateTable("Event"), kind_total(), subscription)
    Event.objects.create(kind="a", amount=1)
    return standin


@contextmanager
def following(
    connection: DatabaseWrapper, *arguments: str, stdout: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    """Run the command. It must have ended when the block ends."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "RISINGWAVE_URL": database_url(connection),
    }
    process = subprocess.Popen(
        [sys.executable, "manage.py", "follow", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
        errors: IO[str] = process.stderr  # type: ignore[assignment]  # a pipe
        assert (process.wait(DEADLINE_SECONDS), errors.read()) == (0, "")
    finally:
        process.kill()
        process.communicate()


def read(process: subprocess.Popen[str]) -> dict[str, Any]:
    line = process.stdout.readline()  # type: ignore[union-attr]  # a pipe
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_pipe_gets_json_lines_as_changes_come_until_a_signal(events: DatabaseWrapper) -> None:
    with following(events, "kind_total", "--since", "full") as process:
        row = {"kind": "a", "total": 1, "rows": 1}
        assert read(process) == {"op": "insert", "timestamp": None, "row": row, "before": None}
        Event.objects.create(kind="a", amount=2)
        change = read(process)
        assert dt.datetime.fromisoformat(change.pop("timestamp")).tzinfo == dt.UTC
        assert change == {"op": "update", "row": {"kind": "a", "total": 3, "rows": 2}, "before": row}
        process.terminate()


def test_the_command_ends_when_nobody_reads_its_pipe(events: DatabaseWrapper) -> None:
    with following(events, "kind_total_changes", "--since", "full") as process:
        read(process)
        process.stdout.close()  # type: ignore[union-attr]  # a pipe


def test_a_terminal_gets_a_table_until_ctrl_c(events: DatabaseWrapper) -> None:
    reader, writer = pty.openpty()
    with following(events, "kind_total", "--since", "full", stdout=writer) as process:
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8", newline="\n") as terminal:
            lines = [terminal.readline().split() for _ in range(2)]
            process.send_signal(signal.SIGINT)
    assert lines == [["time", "change", "kind", "total", "rows"], ["insert", "a", "1", "1"]]


def test_a_table_shows_what_an_update_changed_and_widens_its_columns() -> None:
    table = TextTable()
    insert = RowChange("insert", {"item": 1, "name": None}, None, None, None)
    update = RowChange("update", {"item": 1, "name": "x" * 50}, {"item": 1, "name": "a\x1b\n"}, 1_000, None)
    delete = RowChange("delete", {"item": 1, "name": "b"}, None, 86_399_000, None)
    other = RowChange("delete", {"id": 1}, None, 86_399_001, None)
    assert table.lines(insert) == ["time          change  item      name", "              insert  1"]
    (line,) = table.lines(update)
    assert line == f"00:00:01.000  update  1         a\ufffd\ufffd → {'x' * 39}…"
    assert table.lines(delete) == ["23:59:59.000  delete  1         b"]
    assert len(table.lines(other)) == 2


def test_json_lines_are_exact_and_valid() -> None:
    row = {
        "numeric": Decimal("1.10"),
        "float": float("nan"),
        "time": dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
        "interval": dt.timedelta(seconds=1),
        "bytea": memoryview(b"\0\xff"),
        "list": [Decimal(1), None],
        "text": "ü\n",
    }
    assert json.loads(json_line(RowChange("delete", row, None, 1_001, None))) == {
        "op": "delete",
        "timestamp": "1970-01-01T00:00:01.001+00:00",
        "row": {
            "numeric": "1.10",
            "float": "NaN",
            "time": "2026-01-02T03:04:05.000006+00:00",
            "interval": "P0DT00H00M01S",
            "bytea": "00ff",
            "list": ["1", None],
            "text": "ü\n",
        },
        "before": None,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["events"], r'CreateSubscription\("events_changes", source="events"\)'),
        (["demo_shop.StateTurnover"], "'state_turnover' has no subscription"),
        (["kind_total", "--since", "yesterday"], "--since must be .* not 'yesterday'"),
        (["kind_total", "--since", "1"], "no longer keeps the changes"),
        (["kind_total", "--database", "default"], "default isn't on RisingWave"),
        (["kind_total", "--database", "nothing"], "nothing isn't on RisingWave"),
    ],
)
def test_what_can_not_be_followed_is_refused_in_words(
    events: DatabaseWrapper, arguments: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("follow", *arguments)

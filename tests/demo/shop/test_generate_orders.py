from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from demo.shop.generator.orders import OrderLine
from demo.shop.generator.pace import BATCH_SECONDS, Pace
from demo.shop.models import Order
from tests.conftest import BOTH
from tests.processes import DEADLINE_SECONDS, ROOT, database_url, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.standins import StandIn


def generate_orders(*arguments: str) -> tuple[str, str]:
    """Run the command in this process; return what it wrote to stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    call_command("generate_orders", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def stored() -> list[OrderLine]:
    # Without the time, which the server chooses.
    values = Order.objects.order_by("row_id").values_list(*OrderLine._fields[:-1])
    return [OrderLine(*line) for line in values]


class Process:
    """The command in a process of its own, with its output in a file."""

    def __init__(self, log: Path, risingwave_url: str, *arguments: str) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "generate_orders", *arguments],
                cwd=ROOT,
                env=os.environ
                | {"DJANGO_SETTINGS_MODULE": "config.settings", "RISINGWAVE_URL": risingwave_url},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def output(self) -> str:
        return self.log.read_text()

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        try:
            return self.process.wait(DEADLINE_SECONDS)
        finally:
            self.process.kill()  # A process that goes on would insert orders into the other tests' table.


# What it inserts


@BOTH
def test_the_given_count_of_lines_is_inserted_and_reported(orders):
    _, err = generate_orders("--count", "1234", "--batch", "100")
    assert Order.objects.count() == 1234
    assert re.fullmatch(r"1,234 order lines in [\d.]+ s, [\d,]+/s\n", err)


@BOTH
def test_the_same_seed_inserts_the_same_orders_with_the_same_numbers_and_dates(orders):
    generate_orders("--count", "500", "--seed", "5")
    first = stored()
    Order.objects.all().delete()
    generate_orders("--count", "500", "--seed", "5", "--batch", "77")
    assert stored() == first
    assert (first[0].orderid, first[0].dt) == (1, date(2026, 1, 1))


@BOTH
def test_orders_continue_after_the_last_number_with_the_date_of_today(orders):
    orders((1, 1, 1.0, "Ohio"))
    before = datetime.now(UTC).date()
    generate_orders("--count", "10", "--first-orderid", "41")
    generate_orders("--count", "1")
    *_, last = stored()
    assert last.orderid == max(line.orderid for line in stored()[:-1]) + 1 > 41
    assert before <= last.dt <= datetime.now(UTC).date()


@BOTH
def test_the_date_and_the_first_number_can_be_chosen(orders):
    generate_orders("--count", "1", "--seed", "5", "--first-orderid", "99", "--date", "2025-12-24")
    (line,) = stored()
    assert (line.orderid, line.dt) == (99, date(2025, 12, 24))


@BOTH
def test_with_a_rate_and_a_count_the_command_ends_by_itself(orders):
    generate_orders("--rate", "1000", "--count", "100")
    assert Order.objects.count() == 100


# --sql


@BOTH
def test_sql_for_psql_inserts_the_same_orders(orders):
    generate_orders("--count", "50", "--seed", "5", "--batch", "20")
    inserted = stored()
    Order.objects.all().delete()
    sql, err = generate_orders("--count", "50", "--seed", "5", "--batch", "20", "--sql")
    assert err == ""
    assert len(sql.splitlines()) == sql.count(";\n") == 3
    with connections["risingwave"].cursor() as cursor:
        cursor.execute(sql)
    assert stored() == inserted


def test_sql_needs_no_server(tmp_path):
    process = Process(
        tmp_path / "log", "postgres://root@127.0.0.1:1/dev", "--sql", "--count", "2", "--seed", "1"
    )
    assert process.wait() == 0
    assert process.output().startswith("INSERT INTO orders (")


def test_a_reader_of_the_sql_may_close_the_pipe():
    command = f"{sys.executable} manage.py generate_orders --sql --count 100000 | head -c 10"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        ["sh", "-c", command],
        check=True,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=DEADLINE_SECONDS,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("INSERT INT", "")


# Invalid input


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--rate", "-1", "must be a positive number of order lines per second, such as 20, not '-1'"),
        ("--rate", "0", "must be a positive number"),
        ("--rate", "nan", "must be a positive number"),
        ("--rate", "inf", "must be a positive number"),
        ("--rate", "fast", "must be a positive number"),
        ("--count", "0", "must be a whole number from 1 to 2147483647, not '0'"),
        ("--count", "1e3", "must be a whole number"),
        ("--batch", "-5", "must be a whole number"),
        ("--first-orderid", "2147483648", "must be a whole number"),
        ("--date", "31.1.2026", "must be a date such as 2026-01-31, not '31.1.2026'"),
        ("--seed", "x", "invalid int value: 'x'"),
    ],
)
def test_an_invalid_value_is_refused_with_what_is_allowed(option, value, message):
    with pytest.raises(CommandError, match=re.escape(f"argument {option}: ") + ".*" + re.escape(message)):
        generate_orders(f"{option}={value}")


def test_after_the_largest_orderid_the_numbers_begin_again_and_the_command_says_so():
    sql, err = generate_orders("--first-orderid", "2147483646", "--count", "50", "--sql")
    assert err == "The largest possible orderid, 2,147,483,647, is reached. Numbering from 1 again.\n"
    numbers = [int(number) for number in re.findall(r"\((\d+), ", sql)]
    assert len(numbers) == 50
    assert list(dict.fromkeys(numbers))[:4] == [2147483646, 2147483647, 1, 2]


@BOTH
@pytest.mark.parametrize(
    ("stored_ids", "first"),
    [
        ([2147483647, 41], 42),
        ([2147483647], 1),
        ([-2147483648, -5], 1),
        ([None], 1),
        ([2000000000], 2000000001),
    ],
)
def test_odd_numbers_in_the_table_do_not_end_the_numbering(orders, stored_ids, first):
    Order.objects.bulk_create(Order(orderid=orderid) for orderid in stored_ids)
    generate_orders("--count", "1")
    assert stored()[-1].orderid == first


# Servers that are gone


def test_an_unreachable_server_is_reported_by_its_address_without_the_password(tmp_path):
    process = Process(tmp_path / "log", "postgres://root:top-secret@127.0.0.1:1/dev", "--count", "1")
    assert process.wait() == 1
    (line,) = process.output().splitlines()
    assert line.startswith('CommandError: Can\'t reach the database "dev" at 127.0.0.1:1: ')
    assert "Check that the server runs and that RISINGWAVE_URL is right." in line
    assert "top-secret" not in line


def test_without_the_table_the_error_says_how_to_create_it(tmp_path):
    # The tests use test databases: nothing was ever migrated in this one.
    process = Process(tmp_path / "log", os.environ["DATABASE_URL"], "--count", "1")
    assert process.wait() == 1
    (line,) = process.output().splitlines()
    assert 'relation "orders" does not exist' in line
    assert line.endswith("Create it with: manage.py migrate --database risingwave")


@BOTH
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_stop_the_command_without_a_traceback(orders, tmp_path, number):
    # A shell starts what runs in the background with SIGINT ignored, and children inherit that.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = Process(tmp_path / "log", database_url(connections["risingwave"]), "--rate", "100")
    try:
        signal.signal(signal.SIGINT, previous)
        wait_until(Order.objects.exists, process.output)
    finally:
        status = process.end(number)
    assert status == 0
    assert process.output() == "100 order lines per second. Press Ctrl-C to stop.\n"


def test_a_lost_server_is_waited_for_and_takes_two_lines_of_output(own_standin, tmp_path):
    process = Process(tmp_path / "log", own_standin.environment["RISINGWAVE_URL"], "--rate", "50")
    try:
        wait_until(own_standin.count_orders, process.output)
        own_standin.stop()
        wait_until(lambda: "can't be inserted" in process.output(), process.output)
        own_standin.start()
        wait_until(lambda: "again after" in process.output(), process.output)
        wait_for_more_orders(own_standin, process)
    finally:
        assert process.end(signal.SIGTERM) == 0
    _rate, lost, back = process.output().splitlines()
    database = r'the database "risingwave" at the socket in .*'
    assert re.fullmatch(rf"Orders can't be inserted into {database}: .+\. Retrying\.", lost)
    assert re.fullmatch(rf"Orders can be inserted into {database} again after \d+ s\.", back)


WRITABLE_AGAIN = (
    "SET default_transaction_read_only TO off; ALTER SYSTEM RESET default_transaction_read_only; "
    "SELECT pg_reload_conf()"
)


def wait_for_more_orders(standin: StandIn, process: Process) -> None:
    before = standin.count_orders()
    wait_until(lambda: standin.count_orders() > before, process.output)


@pytest.mark.parametrize(
    ("harm", "remedy", "reason"),
    [
        (
            "ALTER TABLE orders RENAME TO away",
            "ALTER TABLE away RENAME TO orders",
            'relation "orders" does not exist',
        ),
        (
            "ALTER SYSTEM SET default_transaction_read_only TO on; SELECT pg_reload_conf()",
            WRITABLE_AGAIN,
            "read-only transaction",
        ),
    ],
)
def test_a_table_that_takes_no_orders_for_a_while_is_said_once_and_waited_for(
    own_standin, tmp_path, harm, remedy, reason
):
    process = Process(tmp_path / "log", own_standin.environment["RISINGWAVE_URL"], "--rate", "50")
    try:
        wait_for_more_orders(own_standin, process)
        own_standin.execute(harm)
        wait_until(lambda: "can't be inserted" in process.output(), process.output)
        assert process.process.poll() is None
        own_standin.execute(remedy)
        wait_until(lambda: "again after" in process.output(), process.output)
    finally:
        own_standin.execute(remedy, check=False)
        assert process.end(signal.SIGTERM) == 0
    _rate, lost, _back = process.output().splitlines()
    assert reason in lost


def test_a_server_that_does_not_answer_is_said_once_and_sigterm_ends_the_command(own_standin, tmp_path):
    process = Process(tmp_path / "log", own_standin.environment["RISINGWAVE_URL"], "--rate", "50")
    try:
        wait_for_more_orders(own_standin, process)
        with own_standin.frozen():
            wait_until(lambda: "no answer within 5 s" in process.output(), process.output)
            assert process.end(signal.SIGTERM) == 0
    finally:
        process.process.kill()
    _rate, lost = process.output().splitlines()
    assert lost.endswith("Retrying.")


# The pace


class Clock:
    """A clock that stands still between sleeps, unless a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.mark.parametrize("rate", [0.1, 0.7, 3, 20, 33.3, 1_000, 123_456])
def test_the_rate_is_kept_without_drift_though_inserts_take_time(rate):
    clock = Clock()
    pace = Pace(rate, clock, clock.sleep)
    rows = 0
    while clock.now < 1000 + max(60, 60 / rate):
        rows += pace.wait(10_000)
        assert abs(rows - (clock.now - 1000) * rate) <= 1 + rate * 0.01
        clock.now += 0.003


def test_rows_are_spread_evenly_over_a_second():
    clock = Clock()
    pace = Pace(20, clock, clock.sleep)
    assert [pace.wait(10_000) for _ in range(100)] == [1] * 100
    pace = Pace(1_000, clock, clock.sleep)
    assert max(pace.wait(10_000) for _ in range(100)) <= 1_000 * BATCH_SECONDS + 1


def test_a_batch_is_at_most_as_large_as_allowed_and_the_rest_follows_at_once():
    clock = Clock()
    pace = Pace(100, clock, clock.sleep)
    clock.now += 1
    assert [pace.wait(40), pace.wait(40)] == [40, 40]
    assert clock.now == 1001
    assert 20 <= pace.wait(40) <= 20 + 100 * BATCH_SECONDS


def test_rows_that_were_due_before_a_restart_are_dropped():
    clock = Clock()
    pace = Pace(100, clock, clock.sleep)
    clock.now += 3600
    pace.restart()
    assert pace.wait(10_000) <= 100 * BATCH_SECONDS + 1


# The progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@BOTH
def test_on_a_terminal_the_progress_is_a_bar_with_rate_and_time_left(orders):
    terminal = Terminal()
    call_command("generate_orders", count=30_000, batch=100, stderr=terminal)
    *drawn, last, rest = terminal.getvalue().split("\x1b[K")
    assert drawn
    for line in drawn:
        assert re.fullmatch(r"\r[█░]{24} \d+% of 30,000 order lines, [\d,]+/s, \d+ s left", line)
    assert re.fullmatch(r"\r30,000 order lines in [\d.]+ s, [\d,]+/s", last)
    assert rest == "\n"

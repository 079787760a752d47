"""The double answers each recorded statement as RisingWave did, but for data/differences.toml."""

from __future__ import annotations

import re
import time
import tomllib
from typing import TYPE_CHECKING

import pytest

from django_risingwave.testing.double.client import Client
from django_risingwave.testing.transcripts import Transcript, load
from tests.django_risingwave.data_files import DATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double

# What the recording left out or was done before it, by the first statement that needs it.
BEFORE = {
    "SELECT count(*) FROM big x, big y WHERE x.a < y.a": "SET statement_timeout = '1s'",
    "SELECT count(*) FROM generate_series(1, 3000000)": "SET statement_timeout = 0",
    "SELECT id, sum(salary) OVER (PARTITION BY department ORDER BY department) AS a FROM emp ORDER BY id": (
        "CREATE TABLE emp (id bigint PRIMARY KEY, department varchar, salary int, age int, hire_date date)"
    ),
}
# What is missing, or in the way, by the error that says so. The statement was recorded in another database or
# session, or what it needs was left out.
pytestmark = pytest.mark.unversioned

MISSING = re.compile(r"(?:[a-z ]+ not found: |Item not found: subscription |Cannot find cursor `)(\w+)")
EXISTING = re.compile(r"([a-z ]+?) with name (\w+) exists|cursor `(\w+)` already exists")


def test_the_double_answers_as_recorded(standin: DatabaseWrapper, double: Double) -> None:
    listed = tomllib.loads((DATA / "differences.toml").read_text(encoding="utf-8"))["difference"]
    reasons = {sql.strip(): group["reason"] for group in listed for sql in group["statements"]}
    with Client(double, standin.settings_dict["NAME"]) as client:
        found = dict(Replay(client).differences())
    unexpected = {sql: difference for sql, difference in found.items() if sql not in reasons}
    assert unexpected == {}, "Make the double answer as recorded, or list the statement with a reason."
    assert [sql for sql in reasons if sql not in found] == [], (
        "No difference any more: remove it from the list."
    )


class Replay:
    """A session with the double in which the transcripts are sent again."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def differences(self) -> Iterator[tuple[str, str]]:
        """Yield each statement whose answer differs from the recorded one, and how."""
        transcripts = load()
        for index, recorded in enumerate(transcripts):
            if before := BEFORE.get(recorded.sql):
                self._ask(before)
            answer = self._ask(recorded.sql)
            # The recorded statements that come before it, the last one first, and then those that follow.
            others = transcripts[index - 1 :: -1] + transcripts[index + 1 :]
            for _ in range(9):
                if recorded.error or not answer.error or not self._mend(answer.error["M"], others):
                    break
                answer = self._ask(recorded.sql)
            if difference := _difference(recorded, answer):
                yield " ".join(recorded.sql.split()), difference

    def _mend(self, error: str, others: list[Transcript]) -> bool:
        """Create what the error says is missing, or drop what it says exists. Return whether it succeeded."""
        if match := EXISTING.search(error):
            kind, name, cursor = match.groups()
            sql = f'CLOSE "{cursor}"' if cursor else f'DROP {kind.strip().upper()} "{name}" CASCADE'
            return not self._ask(sql).error
        if not (match := MISSING.search(error)):
            return False
        # The recording left out statements that differ in digits only.
        name = re.sub(r"\d+", r"\\d+", match[1])
        creates = re.compile(rf'(?:CREATE [A-Z ]+|DECLARE )"?{name}\b', re.IGNORECASE)
        for other in others:
            if creates.match(other.sql) and not other.error:
                sql = re.sub(rf"\b{name}\b", match[1], other.sql, count=1)
                created = self._ask(sql)
                return not created.error or self._mend(created.error["M"], others)
        return False

    def _ask(self, sql: str) -> Transcript:
        # A change was recorded long ago, and whether one comes isn't asked here.
        sql = re.sub(r"SINCE \d{13}$", f"SINCE {time.time_ns() // 1_000_000 - 1}", sql)
        sql = re.sub(r"timeout = '\d+s'", "timeout = '1s'", sql)
        return self._client.ask(sql)


def _difference(recorded: Transcript, answer: Transcript) -> str:
    """Say how the answers differ; nothing if they don't. The number of rows depends on earlier statements."""
    found = []
    if answer.columns != recorded.columns:
        found.append(f"columns {answer.columns}, recorded {recorded.columns}")
    if _without_numbers(answer.tags) != _without_numbers(recorded.tags):
        found.append(f"tags {answer.tags}, recorded {recorded.tags}")
    if answer.error != recorded.error:
        found.append(f"error {answer.error}, recorded {recorded.error}")
    return "; ".join(found)


def _without_numbers(tags: tuple[str, ...]) -> list[str]:
    return [re.sub(r"\d+", "0", tag) for tag in tags]

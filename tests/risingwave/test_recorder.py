"""A recorder in front of a server changes nothing, and keeps what the server answered."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg2
import pytest

from django_risingwave.testing.transcripts import RECORDED_ROWS, Transcript
from tests import processes
from tests.risingwave import servers
from tests.risingwave.recorder import Recorder
from tests.risingwave.recording import MAX_CHARACTERS, Recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double


@pytest.fixture
def recorder(connection: DatabaseWrapper, double: Double) -> Iterator[Recorder]:
    with Recorder(processes.database_url(connection)) as recorder:
        yield recorder


def recorded(recorder: Recorder, start: str) -> list[Transcript]:
    return [each for each in recorder.recording.transcripts if each.sql.startswith(start)]


def test_statements_are_recorded_with_columns_rows_and_tags(recorder: Recorder) -> None:
    rows = servers.query(recorder.url, "SELECT n, NULL AS nothing FROM generate_series(1, 20) AS n")
    assert len(rows) == 20
    (transcript,) = recorded(recorder, "SELECT n")
    assert [name for name, _ in transcript.columns] == ["n", "nothing"]
    assert transcript.rows == tuple((str(n), None) for n in range(1, RECORDED_ROWS + 1))
    assert transcript.more == 20 - RECORDED_ROWS
    assert transcript.tags == ("SELECT 20",)
    assert transcript.error is None


def test_an_error_is_recorded_with_its_fields(recorder: Recorder) -> None:
    with pytest.raises(psycopg2.Error, match="nowhere"):
        servers.query(recorder.url, "SELECT * FROM nowhere")
    (transcript,) = recorded(recorder, "SELECT *")
    assert transcript.error
    assert transcript.error.keys() >= {"S", "C", "M"}
    assert not transcript.tags


def test_several_statements_in_one_query_are_one_transcript(recorder: Recorder) -> None:
    servers.query(recorder.url, "SELECT 1; SELECT 'a'")
    (transcript,) = recorded(recorder, "SELECT 1")
    assert transcript.tags == ("SELECT 1", "SELECT 1")


def test_the_end_of_the_session_is_recorded_as_the_answer(recorder: Recorder) -> None:
    with suppress(psycopg2.Error):
        servers.query(recorder.url, "SELECT pg_terminate_backend(pg_backend_pid())")
    processes.wait_until(lambda: recorded(recorder, "SELECT pg_terminate_backend"))
    (transcript,) = recorded(recorder, "SELECT pg_terminate_backend")
    assert transcript.error


def test_statements_that_differ_in_digits_are_kept_once_and_once_more_as_errors() -> None:
    recording = Recording()
    error = {"M": "no"}
    for sql, found in (
        ("SELECT 1", None),
        ("SELECT 22", None),
        ("SELECT 3", error),
        ("SELECT 4", error),
        ("SELECT a", None),
        ("SELECT " + "a" * MAX_CHARACTERS, None),
    ):
        recording.add(Transcript(sql, error=found))
    assert [each.sql for each in recording.transcripts] == ["SELECT 1", "SELECT 3", "SELECT a"]


def test_the_records_can_be_read_again(tmp_path: Path) -> None:
    recording = Recording()
    transcript = Transcript("SELECT 'ü'", (("x", 25),), (("ü",), (None,)), 3, ("SELECT 5",))
    recording.add(transcript)
    recording.write(tmp_path / "2.8.0.jsonl")
    (line,) = (tmp_path / "2.8.0.jsonl").read_text(encoding="utf-8").splitlines()
    assert Transcript.from_json(line) == transcript


def test_a_url_with_tls_is_refused() -> None:
    with pytest.raises(servers.ServerError, match="over TLS"):
        Recorder("postgres://root@127.0.0.1:4566/dev?sslmode=require")

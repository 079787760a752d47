"""watch.py checks every statement of every test."""

from __future__ import annotations

import threading
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, connections

from django_risingwave.streaming.changes import ChangeListener
from tests.django_risingwave.models import Event

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.watch import Watch


def send(connection: Any, sql: str, params: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def test_a_statement_that_risingwave_would_refuse_is_reported(standin: DatabaseWrapper, watch: Watch) -> None:
    send(standin, "SELECT 'a'::varchar(1)")
    assert watch.take(__name__) == ["this type takes no arguments: SELECT 'a'::varchar(1)"]


def test_a_report_is_given_once(standin: DatabaseWrapper, watch: Watch) -> None:
    send(standin, "SELECT 'a'::varchar(1)")
    watch.take(__name__)
    send(standin, "SELECT 1")
    assert watch.take(__name__) == []


def test_a_statement_that_the_server_refuses_is_reported_too(
    connection: DatabaseWrapper, watch: Watch
) -> None:
    with pytest.raises(DatabaseError):
        send(connection, "SELECT nothing FROM nowhere FOR UPDATE")
    assert len(watch.take(__name__)) == 1


def test_parameters_are_checked_as_the_driver_writes_them(standin: DatabaseWrapper, watch: Watch) -> None:
    send(standin, "SELECT %s", [uuid.UUID(int=1)])
    [report] = watch.take(__name__)
    assert report.startswith("unsupported data type: SELECT '")
    assert report.endswith("'::uuid")


@pytest.mark.django_db(transaction=True, databases=["default", "risingwave"])
def test_the_connections_of_other_threads_are_watched(watch: Watch) -> None:
    def run() -> None:
        with suppress(DatabaseError):  # on RisingWave
            send(connections["risingwave"], "SELECT 1 FOR UPDATE")
        connections["risingwave"].close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert watch.take(__name__) == ["FOR UPDATE, FOR SHARE: SELECT 1 FOR UPDATE"]


@pytest.mark.django_db(transaction=True, databases=["default", "risingwave"])
def test_other_aliases_are_not_watched(watch: Watch) -> None:
    send(connections["default"], "SELECT 1 FOR UPDATE")
    assert watch.take(__name__) == []


def test_the_statements_of_the_stand_in_are_accepted_from_postgresql(
    standin: DatabaseWrapper, watch: Watch
) -> None:
    ChangeListener("risingwave", []).start()
    with standin.schema_editor() as editor:
        editor.create_model(Event)
    assert watch.take(__name__) == []


def test_the_statements_of_the_stand_in_are_refused_on_risingwave(
    standin: DatabaseWrapper, disguise: Any, watch: Watch
) -> None:
    send(standin, 'LISTEN "risingwave_changes"')
    assert len(watch.take(__name__)) == 1

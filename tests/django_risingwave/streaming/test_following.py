"""A follower goes on after the faults of a server, or says how to. The server is a double of RisingWave."""

from __future__ import annotations

import logging
import re
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from django.db import OperationalError, ProgrammingError, connections

from django_risingwave.streaming.definitions import SubscriptionDefinition
from django_risingwave.streaming.following import follower as following
from django_risingwave.streaming.following.follower import (
    ChangesLostError,
    Follower,
    NoSubscriptionError,
    RowChange,
    find_subscription,
)
from django_risingwave.streaming.following.positions import Position
from tests.django_risingwave.streaming.double_events import insert, sessions_with_cursors
from tests.processes import DEADLINE_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.testing.double import Double

VIEW = "kind_total"
#: What RisingWave 2.8.0 answers while it recovers, and when a view was replaced by a migration.
RECOVERING = "The cluster is recovering"
DELETED = "internal error: Cursor dependent table deleted: table_id is 721"


@pytest.fixture
def follower(double: Double, monkeypatch: pytest.MonkeyPatch) -> Iterator[Follower]:
    """A follower of new changes, which tries again without much of a pause."""
    monkeypatch.setattr(following, "FIRST_PAUSE_SECONDS", 0.001)
    with closing(started(since="now")) as follower:
        yield follower


def started(**arguments: Any) -> Follower:
    follower = Follower("kind_total_changes", using="risingwave", **arguments)
    follower.start()
    return follower


def row(total: int) -> dict[str, Any]:
    return {"kind": "a", "total": total, "rows": 1}


def take(follower: Follower, number: int) -> list[RowChange]:
    """Return as many changes, and no more."""
    found: list[RowChange] = []

    def is_enough() -> bool:
        follower.fill(0.2)
        while len(found) < number and (change := follower.take()):
            found.append(change)
        return len(found) == number

    wait_until(is_enough, sleep=lambda seconds: None)
    return found


def told(changes: list[RowChange]) -> list[tuple[Any, ...]]:
    return [
        (change.op, change.row["total"], None if change.before is None else change.before["total"])
        for change in changes
    ]


def declared(double: Double, since: int) -> bool:
    """Whether the last cursor was declared since a timestamp."""
    last = [sql for sql in double.statements if sql.startswith("DECLARE")][-1]
    return last == f'DECLARE "changes" SUBSCRIPTION CURSOR FOR "kind_total_changes" SINCE {since}'


def test_updates_come_as_one_change_and_leading_rows_as_a_delete_and_an_insert(
    double: Double, follower: Follower
) -> None:
    double.tell(VIEW, ("Insert", row(1)), ("UpdateDelete", row(1)), ("UpdateInsert", row(2)))
    epoch = double.tell(VIEW, ("Delete", row(2)), ("Insert", row(3)))
    changes = take(follower, 4)
    assert told(changes) == [("insert", 1, None), ("update", 2, 1), ("delete", 2, None), ("insert", 3, None)]
    assert [change.timestamp for change in changes[2:]] == [epoch, epoch]
    assert [change.position.done for change in changes if change.position] == [1, 2, 1, 2]


def test_an_update_that_two_fetches_return_is_one_change(
    double: Double, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "FETCH_ROWS", 1)
    double.tell(VIEW, ("UpdateDelete", row(1)), ("UpdateInsert", row(2)))
    assert told(take(follower, 1)) == [("update", 2, 1)]


def test_the_current_epoch_is_not_left_out(double: Double) -> None:
    """A cursor SINCE now() leaves it out."""
    epoch = double.epoch
    with closing(started(since="now")) as follower:
        assert declared(double, epoch)
        assert double.tell(VIEW, ("Insert", row(1))) == epoch
        assert told(take(follower, 1)) == [("insert", 1, None)]


def test_a_snapshot_of_several_fetches_is_followed_by_the_changes(
    double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "FETCH_ROWS", 1)
    double.snapshot_fetches[VIEW] = 2
    insert()
    # The double's view has one row for each kind.
    before = double.epoch
    with closing(started(since="full")) as follower:
        assert told(take(follower, 1)) == [("insert", 1, None)]
        assert follower.position is None
        double.tell(VIEW, ("UpdateDelete", row(1)), ("UpdateInsert", row(2)))
        assert told(take(follower, 1)) == [("update", 2, 1)]
    with closing(started(since="full")) as follower:
        take(follower, 1)
        while follower.position is None:
            follower.fill(0.01)
        # The snapshot's end is a position: the time before its beginning.
        assert follower.position.done == 0
        assert follower.position.timestamp >= before


def test_a_snapshot_that_is_cut_off_starts_again(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "FETCH_ROWS", 1)
    double.snapshot_fetches[VIEW] = 3
    insert()
    with closing(started(since="full")) as follower:
        assert told(take(follower, 1)) == [("insert", 1, None)]
        double.drop(lambda session: session.cursors)
        assert told(take(follower, 1)) == [("insert", 1, None)]
    assert double.statements.count('DECLARE "changes" SUBSCRIPTION CURSOR FOR "kind_total_changes" FULL') == 2


def test_a_cursor_that_expired_is_declared_again_where_it_was(double: Double, follower: Follower) -> None:
    epoch = double.tell(VIEW, ("Insert", row(1)))
    take(follower, 1)
    double.expire_cursors()
    double.tell(VIEW, ("Insert", row(2)))
    assert told(take(follower, 1)) == [("insert", 2, None)]
    assert declared(double, epoch)


def test_a_lost_connection_neither_loses_nor_repeats_a_change(
    double: Double, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "FETCH_ROWS", 1)
    update = (("UpdateDelete", row(2)), ("UpdateInsert", row(3)))
    epoch = double.tell(VIEW, ("Insert", row(1)), *update, ("Delete", row(3)))
    found = take(follower, 1)
    for _ in range(2):
        double.drop(lambda session: session.cursors)
        found += take(follower, 1)
        assert declared(double, epoch)
    assert told(found) == [("insert", 1, None), ("update", 3, 2), ("delete", 3, None)]


def test_changes_that_are_no_longer_the_same_are_told_again(
    double: Double, follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    epoch = double.tell(VIEW, ("Insert", row(1)), ("Insert", row(2)))
    take(follower, 2)
    double.tell(VIEW, ("Insert", row(4)))
    double.told[VIEW, epoch] = [double.told[VIEW, epoch][1]]
    double.drop(lambda session: session.cursors)
    assert told(take(follower, 2)) == [("insert", 2, None), ("insert", 4, None)]
    assert "told again, because they are no longer the same" in caplog.text


def test_a_recovering_cluster_is_tried_again_and_reported_once(
    double: Double, follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, following.__name__)
    double.faults += [RECOVERING] * 4
    double.tell(VIEW, ("Insert", row(1)))
    assert told(take(follower, 1)) == [("insert", 1, None)]
    levels = [record.levelname for record in caplog.records]
    assert levels == ["INFO", "WARNING", "INFO"]
    assert re.search(r"can't be followed since \d\d:\d\d:\d\d \(The cluster is recovering\)", caplog.text)
    assert caplog.messages[-1] == "subscription kind_total_changes: followed again"


def test_a_view_that_a_migration_has_replaced_is_followed_by_its_name(
    double: Double, follower: Follower
) -> None:
    double.faults.append(DELETED)
    double.tell(VIEW, ("Insert", row(1)))
    assert told(take(follower, 1)) == [("insert", 1, None)]


def test_an_error_that_another_attempt_does_not_mend_is_raised(double: Double, follower: Follower) -> None:
    double.faults += [RECOVERING, "Permission denied: nobody"]
    follower.fill(0.1)
    with pytest.raises(ProgrammingError, match="Permission denied: nobody"):
        follower.fill(0.1)


def test_changes_out_of_the_retention_are_an_error_with_a_remedy(double: Double, follower: Follower) -> None:
    double.retentions["kind_total_changes"] = -3600
    double.expire_cursors()
    follower.fill(0.1)
    with pytest.raises(
        ChangesLostError, match=r'Begin with all existing rows: since="full"\..*longer retention'
    ):
        follower.fill(0.1)


def test_a_dropped_subscription_is_an_error_with_a_remedy(double: Double, follower: Follower) -> None:
    del double.subscriptions["kind_total_changes"]
    follower.fill(0.1)
    with pytest.raises(NoSubscriptionError, match=r"no subscription 'kind_total_changes'\. Declare one"):
        follower.fill(0.1)
    with pytest.raises(NoSubscriptionError, match=r"no subscription 'kind_total_changes'\. Declare one"):
        started(since="now")


def test_after_alter_table_one_fetch_is_empty_and_the_next_has_the_new_columns(
    double: Double, follower: Follower
) -> None:
    double.tell(VIEW, ("Insert", row(1)))
    assert take(follower, 1)[0].row.keys() == {"kind", "total", "rows"}
    (session,) = sessions_with_cursors(double)
    cursor = session.cursors["changes"]
    cursor.view, cursor.empty_fetches = "kind_rows", 1
    double.tell("kind_rows", ("Insert", {"kind": "b", "rows": 3}))
    assert take(follower, 1)[0].row == {"kind": "b", "rows": 3}


def test_while_nothing_changes_the_position_moves_on_so_that_it_stays_within_the_retention(
    double: Double, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "IDLE_SECONDS", 0)
    monkeypatch.setattr(following, "IDLE_MARGIN_MILLISECONDS", 0)
    double.tell(VIEW, ("Insert", row(1)))
    take(follower, 1)
    double.next_epoch()
    epoch = double.epoch
    follower.fill(0.01)
    assert follower.position == Position(epoch)
    double.expire_cursors()
    double.tell(VIEW, ("Insert", row(2)))
    assert told(take(follower, 1)) == [("insert", 2, None)]
    assert declared(double, epoch)


def test_a_fetch_that_waits_ends_when_another_thread_stops_the_follower(
    double: Double, follower: Follower
) -> None:
    thread = threading.Thread(target=follower.fill, args=[DEADLINE_SECONDS])
    before = len(double.statements)
    thread.start()
    wait_until(lambda: len(double.statements) > before)
    follower.stop()
    thread.join()
    assert follower.is_closed
    follower.close()
    wait_until(lambda: not sessions_with_cursors(double))


def test_the_first_connection_must_succeed(double: Double) -> None:
    double.faults.append(RECOVERING)
    with pytest.raises(OperationalError, match=RECOVERING):
        started(since="now")
    wait_until(lambda: not sessions_with_cursors(double))


def test_the_subscription_of_the_relation_is_found_and_not_one_that_a_migration_builds(
    double: Double,
) -> None:
    assert find_subscription("risingwave", VIEW) == "kind_total_changes"
    connection: Any = connections["risingwave"]
    for name in ("rebuild_0123abcd_kind_total_changes", "told"):
        with connection.schema_editor() as editor:
            editor.create_streaming_object(SubscriptionDefinition(name, VIEW, "1 day"))
    assert find_subscription("risingwave", VIEW) == "kind_total_changes"
    with connection.schema_editor() as editor:
        editor.delete_streaming_object(SubscriptionDefinition("kind_total_changes", VIEW, "1 day"))
    assert find_subscription("risingwave", VIEW) == "told"

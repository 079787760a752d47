"""Model.changes() on the stand-in."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections, models, transaction
from django.test.utils import isolate_apps
from django.utils import timezone

from django_risingwave.checkpoints.models import SavedCheckpoint
from django_risingwave.models import MaterializedView
from django_risingwave.streaming import checkpoints
from django_risingwave.streaming.checkpoints import Checkpoint, CheckpointInUseError
from django_risingwave.streaming.following.model_changes import (
    Change,
    ChangesLostError,
    MissingColumnError,
    NoSubscriptionError,
)
from django_risingwave.streaming.migration_operations import CreateSubscription, CreateTable
from tests.django_risingwave.models import Event, Everything
from tests.django_risingwave.streaming.migrating import kind_total, migrate
from tests.processes import DEADLINE_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.base import DatabaseWrapper

with isolate_apps("django_risingwave"):

    class KindTotal(MaterializedView):
        kind = models.CharField(primary_key=True, max_length=10)
        total = models.IntegerField()
        rows = models.BigIntegerField()

        class Meta(MaterializedView.Meta):
            app_label = "django_risingwave"
            db_table = "kind_total"


@pytest.fixture(autouse=True)
def saved(connection: DatabaseWrapper) -> Iterator[None]:
    """An empty table of checkpoints."""
    default = connections["default"]
    table = SavedCheckpoint._meta.db_table
    if is_missing := table not in default.introspection.table_names():
        with default.schema_editor() as editor:
            editor.create_model(SavedCheckpoint)
    SavedCheckpoint.objects.all().delete()
    yield
    SavedCheckpoint.objects.all().delete()
    if is_missing:
        with default.schema_editor() as editor:
            editor.delete_model(SavedCheckpoint)
    default.close()


@pytest.fixture
def events(standin: DatabaseWrapper) -> DatabaseWrapper:
    """A table and a view over it, each with a subscription."""
    migrate(
        standin,
        CreateTable("Event"),
        kind_total(),
        CreateSubscription("kind_total_changes", source="kind_total"),
        CreateSubscription("events_changes", source="events"),
    )
    return standin


def insert(kind: str, amount: int = 1) -> None:
    Event.objects.create(kind=kind, amount=amount)


def iterating(changes: Any) -> threading.Thread:
    """Return a thread that iterates until the loop ends, and closes its connections then."""

    def iterate() -> None:
        try:
            list(changes)
        finally:
            connections.close_all()

    return threading.Thread(target=iterate)


def first(number: int, changes: Any) -> list[Change[Any]]:
    """Return the first changes, and leave the loop, before which all of them are done."""
    found: list[Change[Any]] = []
    with changes:
        for change in changes:
            if len(found) == number:
                break
            found.append(change)
            if len(found) == number:
                with change.transaction():
                    pass
                break
    return found


def told(changes: list[Change[Any]]) -> list[tuple[Any, ...]]:
    return [
        (change.op, change.instance.kind, change.instance.total, change.before and change.before.total)
        for change in changes
    ]


def test_an_update_comes_as_one_change_with_the_row_before(events: DatabaseWrapper) -> None:
    began_at = timezone.now() - dt.timedelta(seconds=1)
    with KindTotal.changes() as changes:
        insert("a", 1)
        insert("a", 2)
        Event.objects.all().delete()
        found = first(3, changes)
    assert told(found) == [("insert", "a", 1, None), ("update", "a", 3, 1), ("delete", "a", 3, None)]
    assert [type(change.instance) for change in found] == [KindTotal] * 3
    times = [change.timestamp for change in found]
    assert began_at < times[0] < times[1] < times[2]  # type: ignore[operator]
    assert found[0].instance._state.db == "risingwave"
    assert not found[0].instance._state.adding


def test_a_snapshot_comes_before_the_changes(events: DatabaseWrapper) -> None:
    insert("a", 1)
    insert("b", 1)
    with KindTotal.changes(since="full") as changes:
        insert("b", 2)
        found = first(3, changes)
    assert set(told(found[:2])) == {("insert", "a", 1, None), ("insert", "b", 1, None)}
    assert [change.timestamp for change in found[:2]] == [None, None]
    assert told(found[2:]) == [("update", "b", 3, 1)]


def test_instances_have_the_values_that_a_query_returns(standin: DatabaseWrapper) -> None:
    with standin.schema_editor() as editor:
        editor.create_model(Everything)
    migrate(standin, CreateSubscription("all", source=Everything._meta.db_table))
    with Everything.changes() as changes:
        Everything.objects.create(
            binary=b"\0\xff",
            boolean=True,
            date=dt.date(2026, 1, 2),
            datetime=dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
            decimal=Decimal("1.125"),
            duration=dt.timedelta(days=1, seconds=2, microseconds=3),
            email="a@example.com",
            float=1.5,
            ip="::1",
            json={"a": [1, None, "ü"]},
            positive=2,
            small=-3,
            text="ü",
            time=dt.time(3, 4, 5, 6),
            uuid=uuid.UUID(int=5),
        )
        Everything.objects.create()
        found = first(2, changes)
    expected = list(Everything.objects.order_by("id"))
    for change, instance in zip(sorted(found, key=lambda change: change.instance.pk), expected, strict=True):
        for field in Everything._meta.concrete_fields:
            value, wanted = (getattr(item, field.attname) for item in (change.instance, instance))
            if isinstance(wanted, memoryview):
                value, wanted = bytes(value), bytes(wanted)
            assert (value, type(value)) == (wanted, type(wanted)), field.name


def test_since_a_time_and_since_the_beginning(events: DatabaseWrapper) -> None:
    with KindTotal.changes():
        insert("a")
    between = timezone.now()
    wait_until(lambda: timezone.now() > between + dt.timedelta(milliseconds=2))
    insert("b")
    assert told(first(2, KindTotal.changes("begin"))) == [("insert", "a", 1, None), ("insert", "b", 1, None)]
    milliseconds = int(between.timestamp() * 1000) + 1
    assert told(first(1, KindTotal.changes(milliseconds))) == [("insert", "b", 1, None)]
    since = between + dt.timedelta(milliseconds=1)
    assert told(first(1, KindTotal.changes(since))) == [("insert", "b", 1, None)]


@pytest.mark.parametrize("since", ["yesterday", -1, None, dt.datetime(2026, 1, 1)])  # noqa: DTZ001
def test_an_unknown_beginning_is_refused_at_once(since: Any) -> None:
    with pytest.raises(ValueError, match="since must be"):
        KindTotal.changes(since)
    if since is not None:
        with pytest.raises(ValueError, match="since must be"):
            Checkpoint("mailer", start=since)


# Checkpoints ---------------------------------------------------------------------------------------------


def test_a_checkpoint_goes_on_where_the_last_run_ended(events: DatabaseWrapper) -> None:
    insert("a")
    checkpoint = Checkpoint("mailer")
    with KindTotal.changes(since=checkpoint) as changes:
        insert("b")
        assert told(first(2, changes)) == [("insert", "a", 1, None), ("insert", "b", 1, None)]
    insert("c")
    insert("a", 2)
    found = first(2, KindTotal.changes(since=Checkpoint("mailer")))
    assert told(found) == [("insert", "c", 1, None), ("update", "a", 3, 1)]


def test_a_snapshot_that_was_read_to_its_end_is_not_read_again(events: DatabaseWrapper) -> None:
    insert("a")
    with KindTotal.changes(since=Checkpoint("mailer")) as changes:
        assert next(changes).op == "insert"
        thread = iterating(changes)
        thread.start()
        wait_until(lambda: Checkpoint("mailer").position() is not None)
        changes.close()
        thread.join()
    insert("b")
    assert told(first(1, KindTotal.changes(since=Checkpoint("mailer")))) == [("insert", "b", 1, None)]


def test_a_snapshot_that_was_cut_off_starts_again(events: DatabaseWrapper) -> None:
    insert("a")
    insert("b")
    for _ in range(2):
        with KindTotal.changes(since=Checkpoint("mailer")) as changes:
            for change in changes:
                with change.transaction():
                    assert change.timestamp is None
                break
        assert Checkpoint("mailer").position() is None


def test_the_changes_of_one_timestamp_are_counted(events: DatabaseWrapper) -> None:
    checkpoint = Checkpoint("mailer", start="now")
    with Event.changes(since=checkpoint) as changes:
        Event.objects.bulk_create(Event(kind=str(number), amount=number) for number in range(5))
        kinds = [change.instance.kind for change in first(2, changes)]
    position = checkpoint.position()
    assert position is not None
    assert position.done == 2
    rest = first(3, Event.changes(since=Checkpoint("mailer")))
    assert sorted(kinds + [change.instance.kind for change in rest]) == ["0", "1", "2", "3", "4"]


def test_a_change_whose_handler_fails_is_told_again(events: DatabaseWrapper) -> None:
    def handle(change: Change[Any]) -> None:
        with change.transaction():
            SavedCheckpoint.objects.create(name="mail", relation="sent", updated_at=timezone.now())
            raise LookupError(change.instance.kind)

    with KindTotal.changes(since=Checkpoint("mailer", start="now")):
        insert("a")
    for _ in range(2):
        with KindTotal.changes(since=Checkpoint("mailer")) as changes:
            with pytest.raises(LookupError, match="a"):
                handle(next(changes))
            assert not SavedCheckpoint.objects.filter(relation="sent")


def test_the_checkpoint_is_saved_in_the_transaction_of_the_handler(events: DatabaseWrapper) -> None:
    with KindTotal.changes(since=Checkpoint("mailer", start="now")) as changes:
        insert("a")
        change = next(changes)
        before = Checkpoint("mailer").position()
        with change.transaction():
            assert transaction.get_connection("default").in_atomic_block
            assert Checkpoint("mailer").position() == before
        after = Checkpoint("mailer").position()
    assert after != before
    assert after is not None
    assert after.done == 1
    # Leaving the loop doesn't go back.
    assert Checkpoint("mailer").position() == after


def test_a_change_without_a_transaction_is_done_when_the_next_one_is_asked_for(
    events: DatabaseWrapper,
) -> None:
    with KindTotal.changes(since=Checkpoint("mailer", start="now")) as changes:
        insert("a")
        insert("b")
        assert [next(changes).instance.kind for _ in range(2)] == ["a", "b"]
    assert told(first(1, KindTotal.changes(since=Checkpoint("mailer")))) == [("insert", "b", 1, None)]


def test_other_changes_of_a_timestamp_than_those_that_were_counted_are_all_told_again(
    events: DatabaseWrapper, caplog: pytest.LogCaptureFixture
) -> None:
    with Event.changes(since=Checkpoint("mailer", start="now")) as changes:
        Event.objects.bulk_create(Event(kind=str(number), amount=number) for number in range(3))
        first(2, changes)
    SavedCheckpoint.objects.update(digest=1)
    assert len(first(3, Event.changes(since=Checkpoint("mailer")))) == 3
    assert "are told again" in caplog.text


def test_a_reset_checkpoint_begins_again(events: DatabaseWrapper) -> None:
    insert("a")
    with KindTotal.changes(since=Checkpoint("mailer", start="now")) as changes:
        insert("b")
        first(1, changes)
    Checkpoint("mailer").reset()
    assert Checkpoint("mailer").position() is None
    found = first(2, KindTotal.changes(since=Checkpoint("mailer")))
    assert {change.instance.kind for change in found} == {"a", "b"}


def test_a_checkpoint_that_another_process_uses_is_refused(
    events: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "RENEW_SECONDS", 0.05)
    with KindTotal.changes(since=Checkpoint("mailer")) as changes:
        thread = iterating(changes)
        thread.start()
        with pytest.raises(CheckpointInUseError, match=r"'mailer' is in use by process \d+ on "):
            KindTotal.changes(since=Checkpoint("mailer")).open()
        changes.close()
        thread.join()
    # It is free when the loop has ended.
    KindTotal.changes(since=Checkpoint("mailer")).open().close()


def test_waiting_for_a_checkpoint_ends_when_another_thread_closes_them(
    events: DatabaseWrapper,
) -> None:
    with KindTotal.changes(since=Checkpoint("mailer")):
        waiting = KindTotal.changes(since=Checkpoint("mailer"))
        timer = threading.Timer(0.1, waiting.close)
        timer.start()
        with pytest.raises(CheckpointInUseError):
            next(waiting)
        timer.join()


def test_the_checkpoint_of_a_process_that_died_can_be_taken_and_the_dead_saves_no_more(
    events: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert("a")
    with KindTotal.changes(since=Checkpoint("mailer", start="now")) as dead:
        insert("b")
        change = next(dead)
        SavedCheckpoint.objects.update(updated_at=timezone.now() - dt.timedelta(hours=1))
        with KindTotal.changes(since=Checkpoint("mailer")) as changes:
            assert next(changes).instance == change.instance
        with pytest.raises(CheckpointInUseError, match="was taken by"), change.transaction():
            pass


def test_a_checkpoint_is_for_one_relation(events: DatabaseWrapper) -> None:
    with KindTotal.changes(since=Checkpoint("mailer")):
        pass
    with pytest.raises(ValueError, match="'mailer' is for 'kind_total', not for 'events'"):
        Event.changes(since=Checkpoint("mailer")).open()


@pytest.mark.parametrize("name", ["", "x" * 101])
def test_a_name_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 100 characters"):
        Checkpoint(name)


def test_a_checkpoint_moves_on_while_nothing_changes(
    events: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_risingwave.streaming.following.follower.IDLE_SECONDS", 0)
    monkeypatch.setattr("django_risingwave.streaming.following.follower.IDLE_MARGIN_MILLISECONDS", 0)
    with KindTotal.changes(since=Checkpoint("mailer", start="now")) as changes:
        changes._reader.fill()
        first_position = Checkpoint("mailer").position()
        assert first_position is not None
        changes._reader.fill()
        changes._reader.fill()
        position = Checkpoint("mailer").position()
        assert position is not None
        assert position.timestamp > first_position.timestamp
        insert("a")
        assert next(changes).instance.kind == "a"


# Ends ------------------------------------------------------------------------------------------------------


def test_changes_that_are_no_longer_kept_are_an_error_with_a_remedy(events: DatabaseWrapper) -> None:
    with KindTotal.changes(since=Checkpoint("mailer", start="now")):
        pass
    SavedCheckpoint.objects.update(timestamp=1)
    with pytest.raises(
        ChangesLostError, match=r"Begin with all existing rows: Checkpoint\('mailer'\)\.reset"
    ):
        KindTotal.changes(since=Checkpoint("mailer")).open()
    with pytest.raises(ChangesLostError, match='since="full"'):
        KindTotal.changes(since=1).open()


def test_a_relation_without_a_subscription_is_an_error_with_a_remedy(standin: DatabaseWrapper) -> None:
    migrate(standin, CreateTable("Event"))
    with pytest.raises(NoSubscriptionError, match=r'CreateSubscription\("events_changes", source="events"\)'):
        Event.changes().open()


def test_a_subscription_that_is_dropped_is_an_error_with_a_remedy(events: DatabaseWrapper) -> None:
    with KindTotal.changes() as changes:
        migrate(events, CreateSubscription("kind_total_changes", source="kind_total"), backwards=True)
        with pytest.raises(NoSubscriptionError, match="no subscription 'kind_total_changes'"):
            next(changes)


def test_a_missing_column_is_named(events: DatabaseWrapper) -> None:
    migrate(events, kind_total(), backwards=True)
    with Event.changes() as changes, events.cursor() as cursor:
        cursor.execute('ALTER TABLE "events" DROP COLUMN "amount"')
        cursor.execute("INSERT INTO events (kind) VALUES ('a')")
        with pytest.raises(
            MissingColumnError, match=r"'amount', which the field django_risingwave\.Event\.amount"
        ):
            next(changes)


def test_a_lost_connection_is_made_again_and_nothing_is_missed(events: DatabaseWrapper) -> None:
    with KindTotal.changes() as changes:
        insert("a")
        assert next(changes).instance.kind == "a"
        insert("b")
        changes._reader._follower._cursor._connection.connection.close()  # type: ignore[union-attr]
        assert next(changes).instance.kind == "b"


def test_leaving_the_loop_closes_the_connection(events: DatabaseWrapper) -> None:
    insert("a")
    changes = KindTotal.changes(since="full")
    for change in changes:
        assert change.op == "insert"
        session = changes._reader._follower._cursor._connection  # type: ignore[union-attr]
        assert session.connection is not None  # type: ignore[union-attr]
        # As after `for change in KindTotal.changes()`. The variable `change` stays.
        del changes
        break
    wait_until(lambda: session.connection is None)  # type: ignore[union-attr]


def test_another_thread_can_end_the_loop(events: DatabaseWrapper) -> None:
    changes = KindTotal.changes()
    changes.open()
    timer = threading.Timer(0.1, changes.close)
    timer.start()
    assert list(changes) == []
    timer.join()


# Async ---------------------------------------------------------------------------------------------------


@pytest.fixture
def inserting(events: DatabaseWrapper) -> Callable[[str], None]:
    """A function that inserts from another thread, whose connections it closes."""

    def insert_and_close(kind: str) -> None:
        insert(kind)
        connections.close_all()

    return insert_and_close


async def test_changes_can_be_iterated_asynchronously(inserting: Callable[[str], None]) -> None:
    async with KindTotal.changes() as changes:
        await asyncio.to_thread(inserting, "a")
        await asyncio.to_thread(inserting, "b")
        kinds: list[str] = []
        async for change in changes:
            kinds.append(change.instance.kind)
            if len(kinds) == 2:
                break
        assert kinds == ["a", "b"]


async def test_a_handler_in_a_thread_has_the_transaction(inserting: Callable[[str], None]) -> None:
    def handle(change: Change[KindTotal]) -> bool:
        return bool(transaction.get_connection("default").in_atomic_block)

    async with KindTotal.changes(since=Checkpoint("mailer", start="now")) as changes:
        await asyncio.to_thread(inserting, "a")
        async for change in changes:
            assert await change.ahandle(handle) is True
            break
    position = await sync_to_async(Checkpoint("mailer").position)()
    await sync_to_async(connections.close_all)()
    assert position is not None
    assert position.done == 1


async def test_a_cancelled_wait_loses_no_change_and_the_thread_ends(inserting: Callable[[str], None]) -> None:
    before = threading.active_count()
    async with KindTotal.changes() as changes:
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(changes), 0.01)
        await asyncio.to_thread(inserting, "a")
        change = await asyncio.wait_for(anext(changes), DEADLINE_SECONDS)
        assert change.instance.kind == "a"
    wait_until(lambda: threading.active_count() <= before + 1)


async def test_leaving_an_async_loop_ends_its_thread(inserting: Callable[[str], None]) -> None:
    await asyncio.to_thread(inserting, "a")
    async for change in KindTotal.changes(since="full"):
        assert change.instance.kind == "a"
        break
    wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("changes")])

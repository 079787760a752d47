"""Automatic keys have 63 bits, increase, and are unique."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time
import uuid
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, models
from django.test.utils import isolate_apps
from hypothesis import given
from hypothesis import strategies as st

from django_risingwave.columns.keys import EPOCH_MS, KEYS_PER_MS, LOW_BITS, KeyMaker, make_key
from tests.django_risingwave.models import Base

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper


def test_a_key_has_63_bits_and_starts_with_the_time() -> None:
    before, key, after = time.time_ns(), make_key(), time.time_ns()
    assert 0 < key < 2**63
    assert before // 1_000_000 <= (key >> LOW_BITS) + EPOCH_MS <= after // 1_000_000 + 1


def test_63_bits_last_until_2095() -> None:
    last = (2**63 - 1) >> LOW_BITS
    assert time.gmtime((last + EPOCH_MS) / 1000).tm_year == 2095


def test_keys_increase_also_beyond_64_per_millisecond() -> None:
    made = [make_key() for _ in range(50_000)]
    assert made == sorted(set(made))


def test_keys_increase_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    maker = KeyMaker()
    first = maker.make()
    hour_ago = time.time_ns() - 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: hour_ago)
    made = [first, *(maker.make() for _ in range(1000))]
    assert made == sorted(set(made))


def test_threads_never_generate_the_same_key() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [
            key for batch in pool.map(lambda _: [make_key() for _ in range(5_000)], range(8)) for key in batch
        ]
    assert len(set(made)) == 40_000


@given(st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=300))
def test_keys_increase_whatever_the_clock_does(steps: list[int]) -> None:
    maker, clock, made = KeyMaker(), time.time_ns() // 1_000_000, []
    with pytest.MonkeyPatch.context() as patch:
        for step in steps:
            clock += step
            patch.setattr(time, "time_ns", lambda now=clock: now * 1_000_000)
            made.append(maker.make())
    assert made == sorted(set(made))
    assert made[-1] < 2**63


# Between processes ---------------------------------------------------------------------------------------

# Two processes draw the same of 4 million starts too often for a test; three, less than once in 10**12 runs.
PROCESSES = 3


def test_processes_generate_different_keys_if_their_starts_are_64_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last = 2**LOW_BITS - KEYS_PER_MS - 1
    starts = [0, KEYS_PER_MS, last - KEYS_PER_MS, last]
    drawn = iter(starts)
    monkeypatch.setattr("secrets.randbelow", lambda _: next(drawn))
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    makers = [KeyMaker() for _ in starts]
    made = {maker.make() for maker in makers for _ in range(5_000)}
    assert len(made) == 20_000


def test_each_process_draws_a_random_start() -> None:
    command = [
        sys.executable,
        "-c",
        "from django_risingwave.columns.keys import LOW_BITS, make_key; print(make_key() % 2**LOW_BITS)",
    ]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
    starts = {int(process.communicate()[0]) for process in processes}
    assert len(starts) > 1


def test_each_forked_process_draws_a_random_start(monkeypatch: pytest.MonkeyPatch) -> None:
    # With the clock stopped, a process with its parent's start would generate its parent's next key.
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    made = {make_key_in_fork() for _ in range(PROCESSES)}
    assert len(made - {make_key()}) > 1


def make_key_in_fork() -> int:
    with warnings.catch_warnings():
        # Python 3.12 warns about threads of other tests; the child only generates a key.
        warnings.simplefilter("ignore", DeprecationWarning)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
            return pool.submit(make_key).result()


# In the database -----------------------------------------------------------------------------------------

with isolate_apps("django_risingwave"):

    class Small(Base):
        id = models.SmallAutoField(primary_key=True)
        parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")

        class Meta(Base.Meta):
            app_label = "django_risingwave"

    class Middle(Base):
        id = models.AutoField(primary_key=True)
        small = models.OneToOneField(Small, models.CASCADE, null=True)
        smalls = models.ManyToManyField(Small, related_name="middles")

        class Meta(Base.Meta):
            app_label = "django_risingwave"

    class Child(Middle):
        name = models.CharField(max_length=10)

        class Meta(Base.Meta):
            app_label = "django_risingwave"

    class Named(Base):
        id = models.UUIDField(primary_key=True, default=uuid.uuid4)
        name = models.CharField(max_length=10)

        class Meta(Base.Meta):
            app_label = "django_risingwave"

    class Line(Base):
        pk = models.CompositePrimaryKey("order", "number")
        order = models.BigIntegerField()
        number = models.SmallIntegerField()
        text = models.CharField(max_length=10)

        class Meta(Base.Meta):
            app_label = "django_risingwave"


@pytest.fixture
def tables(connection: DatabaseWrapper) -> DatabaseWrapper:
    with connection.schema_editor() as editor:
        for model in (Small, Middle, Child, Named, Line):
            editor.create_model(model)
    return connection


def test_every_column_that_stores_keys_is_bigint(tables: DatabaseWrapper) -> None:
    through: Any = Middle._meta.get_field("smalls").remote_field.through
    columns = {
        (model._meta.model_name, field.column): field.db_type(tables)
        for model in (Small, Middle, Child, through)
        for field in model._meta.local_concrete_fields
        if field.name != "name"
    }
    assert len(columns) == 8
    assert set(columns.values()) == {"bigint"}
    with tables.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns "
            "WHERE data_type IN ('integer', 'smallint') AND table_name LIKE %s",
            ["django_risingwave_%"],
        )
        assert cursor.fetchall() == [("number",)]


@pytest.mark.parametrize("model", [Small, Middle])
def test_an_automatic_key_is_looked_up_as_63_bits(tables: DatabaseWrapper, model: Any) -> None:
    low, key, high = 7, 2**40, 2**63 - 1
    for pk in (low, key, high):
        model.objects.create(pk=pk)
    tables.flush()
    pks = model.objects.order_by("pk").values_list("pk", flat=True)
    assert list(pks.filter(pk=key)) == [key]
    assert list(pks.filter(pk__in=[key, high])) == [key, high]
    assert list(pks.filter(pk__gt=key)) == [high]
    assert list(pks.filter(pk__gte=key)) == [key, high]
    assert list(pks.filter(pk__lt=key)) == [low]
    assert list(pks.filter(pk__range=(key, high))) == [key, high]
    assert list(pks.exclude(pk=key)) == [low, high]
    # No key has more than 63 bits.
    assert not pks.filter(pk=2**63)
    assert not pks.filter(pk__gt=2**64)
    assert list(pks.filter(pk__lt=2**64)) == [low, key, high]
    assert set(model.objects.in_bulk([key, high])) == {key, high}


def test_columns_that_refer_to_automatic_keys_are_looked_up_by_them(tables: DatabaseWrapper) -> None:
    small = Small.objects.create()
    child = Small.objects.create(parent=small)
    middle = Middle.objects.create(small=small)
    tables.flush()
    middle.smalls.add(small, child)
    tables.flush()
    assert small.pk > 2**31
    assert Small.objects.get(parent=small.pk) == Small.objects.get(parent__gte=small.pk) == child
    assert Small.objects.get(parent_id__in=[small.pk]) == small.children.get() == child
    assert Middle.objects.get(small_id=small.pk) == small.middle == middle
    assert set(middle.smalls.filter(pk__gte=small.pk)) == {small, child}
    assert Middle.objects.filter(smalls=child.pk).get() == child.middles.get() == middle


def test_a_child_model_has_its_parents_key(tables: DatabaseWrapper) -> None:
    child = Child.objects.create(name="A")
    tables.flush()
    read = Child.objects.get(name="A")
    assert child.pk == read.pk == read.middle_ptr_id == Middle.objects.get().pk


def test_a_uuid_key_comes_from_its_default(tables: DatabaseWrapper) -> None:
    one = Named.objects.create(name="A")
    two, _ = Named.objects.bulk_create([Named(name="B"), Named(name="C")])
    tables.flush()
    three, created = Named.objects.get_or_create(name="D")
    tables.flush()
    assert created
    assert type(one.pk) is uuid.UUID
    assert {row.name: row.pk for row in Named.objects.filter(pk__in=[one.pk, two.pk, three.pk])} == {
        "A": one.pk,
        "B": two.pk,
        "D": three.pk,
    }
    one.name = "E"
    one.save()
    tables.flush()
    assert Named.objects.get(pk=str(one.pk)).name == "E"
    assert Named.objects.count() == 4


def test_a_composite_primary_key_works(tables: DatabaseWrapper) -> None:
    Line.objects.bulk_create([Line(order=2**40, number=n, text=str(n)) for n in range(3)])
    tables.flush()
    line = Line.objects.get(pk=(2**40, 1))
    line.text = "changed"
    line.save()
    tables.flush()
    assert Line.objects.filter(pk__in=[(2**40, 0), (2**40, 1), (1, 1)]).count() == 2
    assert list(Line.objects.order_by("pk").values_list("text", flat=True)) == ["0", "changed", "2"]
    line.delete()
    tables.flush()
    assert Line.objects.count() == 2


@pytest.mark.parametrize("how", ["create", "force_insert", "bulk_create"])
def test_the_stand_in_refuses_an_existing_key(standin: DatabaseWrapper, how: str) -> None:
    """RisingWave silently overwrites the row instead."""
    with standin.schema_editor() as editor:
        editor.create_model(Named)
    first = Named.objects.create(name="A")
    again = Named(pk=first.pk, name="B")
    writes: dict[str, Callable[[], Any]] = {
        "create": lambda: Named.objects.create(pk=first.pk, name="B"),
        "force_insert": lambda: again.save(force_insert=True),
        "bulk_create": lambda: Named.objects.bulk_create([again]),
    }
    with pytest.raises(IntegrityError, match="duplicate key"):
        writes[how]()
    assert Named.objects.get().name == "A"
    # save() sends an UPDATE for an existing row, on both servers.
    again.save(force_update=True)
    assert Named.objects.get().name == "B"

"""The flush after each test waits for two checkpoints at most, however many tables have rows."""

from __future__ import annotations

import re
import unittest
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core import serializers
from django.core.management import call_command
from django.core.management.commands.flush import Command as FlushCommand
from django.db import DatabaseError
from django.db.models.signals import post_migrate
from django.test import TestCase

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double

FLUSH: dict[str, Any] = {"database": "risingwave", "interactive": False, "verbosity": 0}


class AllOnRisingWave:
    """A router that puts Django's own apps on RisingWave too."""

    def db_for_write(self, *args: Any, **hints: Any) -> str:
        return "risingwave"

    db_for_read = db_for_write


class Waits:
    """Count how often RisingWave has waited for a checkpoint: in FLUSH, and in writes with implicit_flush."""

    def __init__(self, statements: list[str], *, implicit_flush: bool) -> None:
        self._statements = statements
        self._begin = 0
        self.implicit_flush = implicit_flush

    def take(self) -> tuple[list[str], list[str]]:
        """Return the statements since the last call that waited, and the writes that didn't."""
        waited, writes = [], []
        for sql in self._statements[self._begin :]:
            if match := re.fullmatch(r"SET rw_implicit_flush TO (true|false)", sql):
                self.implicit_flush = match[1] == "true"
            is_write = sql.startswith(("INSERT ", "UPDATE ", "DELETE "))
            if sql == "FLUSH" or (is_write and self.implicit_flush):
                waited.append(sql)
            elif is_write:
                writes.append(sql)
        self._begin = len(self._statements)
        return waited, writes


@pytest.fixture(params=[True, False], ids=["implicit_flush", "no implicit_flush"])
def implicit_flush(request: pytest.FixtureRequest) -> bool:
    implicit: bool = request.param
    return implicit


@pytest.fixture
def waits(
    standin: DatabaseWrapper,
    request: pytest.FixtureRequest,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    *,
    implicit_flush: bool,
) -> Waits:
    """A database with the tables of Django's own apps too, on the double of RisingWave."""
    monkeypatch.setitem(standin.settings_dict["OPTIONS"], "implicit_flush", implicit_flush)
    double: Double = request.getfixturevalue("double")
    settings.DATABASE_ROUTERS = [AllOnRisingWave()]
    call_command("migrate", "auth", database="risingwave", verbosity=0)
    waits = Waits(double.statements, implicit_flush=implicit_flush)
    waits.take()
    return waits


def create_group() -> None:
    Group.objects.create(name="A")


def contrib_rows() -> tuple[list[Any], list[Any]]:
    types = ContentType.objects.order_by("app_label", "model")
    permissions = Permission.objects.order_by("content_type__model", "codename")
    return (
        list(types.values_list("app_label", "model")),
        list(permissions.values_list("content_type__app_label", "content_type__model", "codename", "name")),
    )


def test_a_flush_with_contrib_rows_waits_twice(waits: Waits, *, implicit_flush: bool) -> None:
    call_command(FlushCommand(), **FLUSH)
    before = contrib_rows()
    assert all(before)
    create_group()
    waits.take()
    call_command("flush", **FLUSH)
    waited, _ = waits.take()
    # Without implicit_flush, the first FLUSH waits for the test's own writes.
    assert waited == ["FLUSH"] * (2 if implicit_flush else 3)
    assert waits.implicit_flush is implicit_flush
    assert contrib_rows() == before
    assert not Group.objects.exists()


def test_a_flush_without_post_migrate_waits_once(waits: Waits, *, implicit_flush: bool) -> None:
    create_group()
    waits.take()
    call_command("flush", **FLUSH, inhibit_post_migrate=True)
    waited, _ = waits.take()
    assert waited == ["FLUSH"] * (1 if implicit_flush else 2)
    assert contrib_rows() == ([], [])


def test_only_tables_with_rows_are_emptied(waits: Waits) -> None:
    call_command("flush", **FLUSH, inhibit_post_migrate=True)
    create_group()
    waits.take()
    for expected in (['DELETE FROM "auth_group"'], []):
        call_command("flush", **FLUSH, inhibit_post_migrate=True)
        _, writes = waits.take()
        assert writes == expected


def test_a_receiver_of_post_migrate_reads_its_own_writes(waits: Waits, *, implicit_flush: bool) -> None:
    was_implicit = []

    def receive(**kwargs: Any) -> None:
        waits.take()
        was_implicit.append(waits.implicit_flush)

    sender = apps.get_app_config("auth")
    post_migrate.connect(receive, sender=sender)
    try:
        call_command("flush", **FLUSH)
    finally:
        post_migrate.disconnect(receive, sender=sender)
    assert was_implicit == [implicit_flush]


def test_serialized_rows_are_restored_with_one_wait(
    waits: Waits, standin: DatabaseWrapper, *, implicit_flush: bool
) -> None:
    before = contrib_rows()
    rows = (model._default_manager.all() for model in (ContentType, Permission))
    data = serializers.serialize("json", chain.from_iterable(rows))
    call_command("flush", **FLUSH, inhibit_post_migrate=True)
    waits.take()
    standin.creation.deserialize_db_from_string(data)
    waited, writes = waits.take()
    assert waited == ["FLUSH"]
    assert len(writes) > 10
    assert waits.implicit_flush is implicit_flush
    assert contrib_rows() == before


def test_a_failed_flush_restores_implicit_flush(
    waits: Waits, standin: DatabaseWrapper, *, implicit_flush: bool
) -> None:
    statements = ['DELETE FROM "auth_group";', 'DELETE FROM "auth_permission" WHERE nothing;']
    create_group()
    with pytest.raises(DatabaseError):
        standin.ops.execute_sql_flush(statements)
    waits.take()
    assert waits.implicit_flush is implicit_flush


def test_a_test_case_waits_twice_beside_its_own_writes(
    waits: Waits, monkeypatch: pytest.MonkeyPatch, *, implicit_flush: bool
) -> None:
    class Rows(TestCase):
        databases = {"risingwave"}  # noqa: RUF012 - Django's

        @classmethod
        def setUpTestData(cls) -> None:
            create_group()

        def test_row(self) -> None:
            assert Group.objects.get().name == "A"

    monkeypatch.setattr(Rows, "_should_reload_connections", lambda self: False)
    waits.take()
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Rows)
    result = unittest.TestResult()
    suite.run(result)
    assert result.wasSuccessful(), [*result.errors, *result.failures]
    waited, _ = waits.take()
    # The row of the test itself comes first.
    assert waited[implicit_flush:] == ["FLUSH"] * (2 if implicit_flush else 3)

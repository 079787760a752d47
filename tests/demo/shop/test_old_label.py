"""Databases of earlier versions, in which the shop's app label was `shop`, are carried over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from demo.shop import migrations as shop_migrations
from demo.shop.old_label import MIGRATIONS, has_old_label, rename_old_label
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = BOTH
ALIASES = ["default", "risingwave"]


def test_the_migrations_are_those_of_the_shop() -> None:
    folder = Path(shop_migrations.__file__).parent
    assert list(MIGRATIONS) == sorted(file.stem for file in folder.glob("0*.py"))


def recorded(alias: str, label: str) -> set[str]:
    migrations = MigrationRecorder(connections[alias]).migration_qs
    return set(migrations.filter(app=label).values_list("name", flat=True))


def relabel(alias: str, old: str, new: str) -> None:
    MigrationRecorder(connections[alias]).migration_qs.filter(app=old).update(app=new)


@pytest.fixture
def old_databases() -> Iterator[None]:
    """The databases as an earlier version made them, before the later migrations."""
    later = {alias: recorded(alias, "demo_shop") - set(MIGRATIONS) for alias in ALIASES}
    for alias, names in later.items():
        for name in names:
            MigrationRecorder(connections[alias]).record_unapplied("demo_shop", name)
        relabel(alias, "demo_shop", "shop")
    ContentType.objects.filter(app_label="demo_shop").update(app_label="shop")
    yield
    for alias in ALIASES:
        MigrationRecorder(connections[alias]).migration_qs.filter(app="shop", name="0001_initial").delete()
        relabel(alias, "shop", "demo_shop")
        for name in later[alias]:
            MigrationRecorder(connections[alias]).record_applied("demo_shop", name)
    ContentType.objects.filter(app_label="shop").update(app_label="demo_shop")


@pytest.mark.usefixtures("old_databases")
def test_migrations_content_types_and_permissions_get_the_new_label():
    for alias in ALIASES:
        assert has_old_label(connections[alias])
        rename_old_label(connections[alias])
        assert recorded(alias, "demo_shop") == set(MIGRATIONS)
        assert not recorded(alias, "shop")
        assert not has_old_label(connections[alias])
    assert Permission.objects.filter(content_type__app_label="demo_shop", codename="view_order").exists()
    assert not ContentType.objects.filter(app_label="shop").exists()


@pytest.mark.usefixtures("old_databases")
@pytest.mark.parametrize("alias", ALIASES)
def test_an_app_of_somebody_else_with_the_same_label_is_left_alone(alias):
    MigrationRecorder(connections[alias]).record_applied("shop", "0001_initial")
    assert not has_old_label(connections[alias])


@pytest.mark.usefixtures("old_databases")
@pytest.mark.parametrize(("count", "is_carried_over"), [(5, True), (2, True), (1, False)])
@pytest.mark.parametrize("alias", ALIASES)
def test_an_older_version_with_fewer_migrations_is_carried_over(alias, count, is_carried_over):
    recorder = MigrationRecorder(connections[alias])
    for name in MIGRATIONS[count:]:
        recorder.record_unapplied("shop", name)
    try:
        assert has_old_label(connections[alias]) is is_carried_over
    finally:
        for name in MIGRATIONS[count:]:
            recorder.record_applied("shop", name)


@pytest.mark.parametrize("alias", ALIASES)
def test_a_database_with_the_new_label_has_nothing_to_carry_over(alias):
    MigrationRecorder(connections[alias]).record_applied("shop", "0001_orders")
    try:
        assert not has_old_label(connections[alias])
    finally:
        MigrationRecorder(connections[alias]).record_unapplied("shop", "0001_orders")

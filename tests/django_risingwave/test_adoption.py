"""What exists in a cluster becomes models, whose migrations find everything there already."""

from __future__ import annotations

import sys
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command

from django_risingwave.streaming.declaring.declarations import declared
from tests.django_risingwave.projects import App

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django_risingwave.base import DatabaseWrapper

SHOP = '''
from django.db import models

from django_risingwave.fields import RowIdField
from django_risingwave.models import MaterializedView, RisingWaveModel
from django_risingwave.streaming.definitions import Subscription


class Order(RisingWaveModel):
    row_id = RowIdField()
    itemid = models.IntegerField()
    qty = models.FloatField()
    price = models.FloatField()

    class Meta(RisingWaveModel.Meta):
        db_table = "orders"

    class Stream:
        subscription = "12h"


class Large(MaterializedView):
    itemid = models.IntegerField(primary_key=True)
    turnover = models.DecimalField(max_digits=28, decimal_places=10, null=True)

    class Meta(MaterializedView.Meta):
        db_table = "a_large"
        indexes = [models.Index(models.F("turnover").desc(nulls_last=True), name="large_turnover")]

    class Stream:
        query = """SELECT itemid, turnover FROM z_turnover WHERE turnover IS NOT NULL"""
        subscription = Subscription("1 day", name="large_feed")


class Turnover(MaterializedView):
    itemid = models.IntegerField(primary_key=True)
    turnover = models.DecimalField(max_digits=28, decimal_places=10, null=True)

    class Meta(MaterializedView.Meta):
        db_table = "z_turnover"

    class Stream:
        query = """
            SELECT itemid, sum((qty * price)::numeric) AS turnover
            FROM orders
            GROUP BY itemid
        """
        subscription = "1 day"
'''

CONNECTED = """
from django.db import models

from django_risingwave.fields import RowIdField
from django_risingwave.models import ConnectorTable, MaterializedView, Source
from django_risingwave.streaming.secrets import Environment
from django_risingwave.streaming.sinks import Sink


class Click(Source):
    click_id = models.TextField(primary_key=True)
    page = models.TextField(null=True)
    arrived_at = models.DateTimeField(null=True)

    class Meta(Source.Meta):
        db_table = "clicks"

    class Stream:
        connector = {
            "connector": "kafka",
            "topic": "it's clicks",
            "properties.bootstrap.server": "127.0.0.1:9092",
            "properties.sasl.password": Environment("KAFKA_PASSWORD"),
            "scan.startup.mode": "earliest",
        }
        include = {"timestamp": "arrived_at"}


class Visit(ConnectorTable):
    row_id = RowIdField()
    page = models.TextField(null=True)

    class Meta(ConnectorTable.Meta):
        db_table = "visits"

    class Stream:
        connector = {"connector": "datagen", "fields.page.length": "3"}
        append_only = True


class Page(MaterializedView):
    page = models.TextField(primary_key=True)
    clicks = models.BigIntegerField(null=True)

    class Meta(MaterializedView.Meta):
        db_table = "pages"

    class Stream:
        query = "SELECT page, count(*) AS clicks FROM clicks GROUP BY page"
        sinks = [Sink("pages_out", {"connector": "blackhole"})]
"""


def inspect(*names: str) -> str:
    out = StringIO()
    call_command("inspectdb", *names, database="risingwave", stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def path() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


def test_declared_models_come_back_from_the_server(
    each_server: DatabaseWrapper, tmp_path: Path, settings: Any
) -> None:
    shop = App(tmp_path, settings, SHOP)
    shop.migrate()
    ours = shop.models()
    text = inspect()
    assert text.index("'orders'") < text.index("'z_turnover'") < text.index("'a_large'")

    written = App(tmp_path, settings, text)
    theirs = written.models()
    assert theirs.keys() == ours.keys()
    for table, model in ours.items():
        declaration, found = declared(model), declared(theirs[table])
        assert found.attached == declaration.attached
        if declaration.definition:
            assert found.definition
            assert found.definition.same_as(declaration.definition)
            # The stand-in's views have no indexes.
            assert theirs[table]._meta.indexes == (model._meta.indexes if each_server.is_risingwave else [])

    written.migrate()
    assert not written.has_changes()
    assert written.check(fail_level="WARNING") == ""


def test_names_that_python_or_django_refuse_are_changed(
    each_server: DatabaseWrapper, tmp_path: Path, settings: Any
) -> None:
    with each_server.cursor() as cursor:
        cursor.execute(
            'CREATE TABLE "2024 sales" ("pk" int, "Class" int, "save" varchar, PRIMARY KEY ("pk", "Class"))'
        )
        cursor.execute('CREATE TABLE "none" (id int PRIMARY KEY, objects int)')
        cursor.execute('CREATE TABLE "source" (id int PRIMARY KEY)')
        cursor.execute('CREATE TABLE "so_urce" (id int PRIMARY KEY)')
    app = App(tmp_path, settings, inspect())
    models = app.models()
    assert {table: model.__name__ for table, model in models.items()} == {
        "2024 sales": "Model2024Sales",
        "none": "ModelNone",
        "so_urce": "SoUrce",
        "source": "ModelSource",
    }
    sales: Any = models["2024 sales"]
    assert [field.name for field in sales._meta.pk_fields] == ["pk_field", "class_field"]
    sales.objects.create(pk_field=1, class_field=2, save_field="x")
    assert sales.objects.get(pk=(1, 2)).save_field == "x"
    app.migrate()
    assert not app.has_changes()


def test_a_user_may_name_the_relations(each_server: DatabaseWrapper, tmp_path: Path, settings: Any) -> None:
    App(tmp_path, settings, SHOP).migrate()
    text = inspect("a_large", "orders")
    assert text.index("'a_large'") < text.index("'orders'")
    assert "'z_turnover'" not in text
    assert "django_migrations" not in text


def test_connectors_come_back_without_their_passwords(
    each_server: DatabaseWrapper, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "very secret")
    shop = App(tmp_path, settings, CONNECTED)
    shop.migrate()
    assert shop.check(fail_level="WARNING") == ""
    ours = shop.models()
    text = inspect()
    assert "very secret" not in text
    if each_server.is_risingwave:
        # The server doesn't know the variable's name.
        made_up = "Environment('PROPERTIES_SASL_PASSWORD'),  # The server has its value in clear."
        assert made_up in text
        text = text.replace(made_up, "Environment('KAFKA_PASSWORD'),")

    written = App(tmp_path, settings, text)
    theirs = written.models()
    assert {table: model.__mro__[1] for table, model in theirs.items()} == {
        table: model.__mro__[1] for table, model in ours.items()
    }
    for table in ours:
        assert declared(theirs[table]) == declared(ours[table])
    written.migrate()
    assert not written.has_changes()
    assert written.check(fail_level="WARNING") == ""

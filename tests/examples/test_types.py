"""The types that a project sees, in the example project and with mypy --strict."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

#: More of shop/models.py. Without a precise type, assert_type() and each NoReturn are errors.
SEEN = """
from typing import NoReturn, assert_type

from django.db import models

from django_risingwave.base import DatabaseWrapper
from django_risingwave.connections import get_connection
from django_risingwave.fields import FiniteFloatField, NaiveDateTimeField, RowIdField
from django_risingwave.streaming.definitions import Subscription
from django_risingwave.models import (
    ConnectorTable,
    MaterializedView,
    ReadOnlyManager,
    ReadOnlyQuerySet,
    RisingWaveModel,
    Source,
)
from django_risingwave.streaming.secrets import Environment, Secret
from django_risingwave.streaming.sinks import Sink
from django_risingwave.testing.messages import deliver
from django_risingwave.visibility import Flushed, flushed


class Visit(RisingWaveModel):
    row_id = RowIdField()
    weight = FiniteFloatField()
    height = FiniteFloatField(null=True)
    at = NaiveDateTimeField(null=True)

    class Meta(RisingWaveModel.Meta):
        app_label = "shop"


class PopularQuerySet(ReadOnlyQuerySet["Popular"]):
    def often(self) -> "PopularQuerySet":
        return self.filter(sold__gt=10)


class Popular(MaterializedView):
    product = models.CharField(max_length=200, primary_key=True)
    sold = models.BigIntegerField()
    objects = PopularQuerySet.as_manager()
    guarded = ReadOnlyManager.from_queryset(PopularQuerySet)()

    class Meta(MaterializedView.Meta):
        app_label = "shop"

    def next(self) -> "Popular | None":
        return assert_type(Popular.objects.often().first(), Popular | None)


class Tall(MaterializedView):
    height = models.FloatField(primary_key=True)

    class Meta(MaterializedView.Meta):
        app_label = "library"

    class Stream:
        query = staticmethod(lambda: Visit.objects.values("height").distinct())
        standin = "SELECT DISTINCT height FROM library_visit"
        subscription = Subscription("2 days")


class Taller(MaterializedView):
    height = models.FloatField(primary_key=True)

    class Meta(MaterializedView.Meta):
        app_label = "library"

    class Stream:
        query = "SELECT height FROM library_tall WHERE height > 2"
        subscription = "1 day"


class Paid(ConnectorTable):
    payment_id = models.BigIntegerField(primary_key=True)
    amount = models.FloatField()

    class Meta(ConnectorTable.Meta):
        app_label = "shop"

    class Stream:
        connector = {
            "connector": "kafka",
            "properties.bootstrap.server": Environment("KAFKA_SERVERS"),
            "properties.sasl.password": Secret("kafka_password", Environment("KAFKA_PASSWORD")),
        }
        append_only = True
        sinks = [Sink("paid_out", {"connector": "kafka", "topic": "out"}, format="PLAIN", encode="JSON")]


class Click(Source):
    page = models.TextField(primary_key=True)

    class Meta(Source.Meta):
        app_label = "shop"

    class Stream:
        connector = {"connector": "kafka", "topic": "clicks"}
        include = {"offset": "page"}


def fields(visit: Visit) -> None:
    assert_type(visit.row_id, int)
    assert_type(visit.weight, float)
    assert_type(visit.height, float | None)
    assert visit.at is not None
    assert_type(visit.at.hour, int)
    assert_type(Visit().row_id, int)


def managers() -> None:
    assert_type(ProductSales.objects.first(), ProductSales | None)
    assert_type(ProductSales.objects.filter(sold=1), ReadOnlyQuerySet[ProductSales])
    assert_type(Popular.objects.first(), Popular | None)
    assert_type(Popular.objects.all().often(), PopularQuerySet)
    assert_type(Popular.guarded.often().get(), Popular)


def connectors() -> None:
    assert_type(Paid.objects.create(payment_id=1, amount=1.5), Paid)
    assert_type(Click.objects.first(), Click | None)
    deliver(Click(page="/"))


def a_source_is_read_only() -> NoReturn:
    Click.objects.create(page="/")


def mirrors(order: OrderMirror) -> None:
    assert_type(OrderMirror.objects.filter(quantity__gt=1, product_id=2), ReadOnlyQuerySet[OrderMirror])
    assert_type(OrderMirror.objects.first(), OrderMirror | None)
    order.quantity + order.product_id


def create_is_refused() -> NoReturn:
    ProductSales.objects.create(product="Emma")


def delete_is_refused() -> NoReturn:
    ProductSales.objects.all().delete()


def update_is_refused() -> NoReturn:
    Popular.guarded.update(sold=0)


def save_is_refused(sales: ProductSales) -> NoReturn:
    sales.save()


@flushed
def decorated(number: int) -> str:
    return str(number)


@flushed(using="risingwave")
def decorated_with_an_alias(number: int) -> str:
    return str(number)


def waiting() -> None:
    assert_type(flushed(), Flushed)
    assert_type(decorated(1), str)
    assert_type(decorated_with_an_alias(1), str)
    assert_type(get_connection(), DatabaseWrapper)
    assert_type(get_connection("risingwave").flush(), None)
    assert_type(get_connection().server_name, str)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return shutil.copytree(
        ROOT / "examples" / "project", tmp_path / "project", ignore=shutil.ignore_patterns("postgres")
    )


def mypy(project: Path, more: str) -> str:
    """Return what mypy prints, with the settings of the project's mypy.ini and no others."""
    with (project / "shop" / "models.py").open("a") as models:
        models.write(more)
    path = {"MYPYPATH": str(ROOT), "PYTHONPATH": f"{project}{os.pathsep}{ROOT}"}
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "."],
        cwd=project,
        env=os.environ | path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return ended.stdout + ended.stderr


def test_the_example_project_has_no_type_errors_and_ignores_none(project: Path) -> None:
    code = "".join(file.read_text() for file in project.rglob("*.py"))
    config = (project / "mypy.ini").read_text()
    assert "type: ignore" not in code
    assert "ignore" not in config
    assert mypy(project, SEEN).startswith("Success: no issues found")


def test_a_wrong_type_is_an_error(project: Path) -> None:
    """The plugin and the stubs are at work: without them most of the above would be Any."""
    wrong = SEEN.replace("assert_type(visit.weight, float)", "assert_type(visit.weight, str)")
    assert 'Expression is of type "float", not "str"' in mypy(project, wrong)


@pytest.mark.parametrize("package", ["django_risingwave", "live"])
def test_type_checkers_read_the_types_of_an_installed_package(package: str) -> None:
    """https://typing.python.org/en/latest/spec/distributing.html#packaging-type-information"""
    assert (ROOT / package / "py.typed").exists()

"""Tests of a project without migrations find the tables, views and subscriptions of its apps."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from django.db import connections

from tests import processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.risingwave

DATABASE = f"test_without_migrations_{os.getpid()}"
FILES = {
    "settings.py": f"""
import os
import environ
env = environ.Env()
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.contenttypes", "django.contrib.auth", "django_risingwave", "demo.shop", "sales"
]
DATABASES = {{
    "default": env.db_url("DATABASE_URL"),
    "risingwave": env.db_url("RISINGWAVE_URL", engine="django_risingwave"),
}}
for alias, database in DATABASES.items():
    database["TEST"] = {{"NAME": "{DATABASE}_" + alias, "MIGRATE": "MIGRATE" not in os.environ}}
DATABASES["risingwave"]["OPTIONS"]["implicit_flush"] = True
DATABASE_ROUTERS = ["django_risingwave.routers.RisingWaveRouter"]
if "DISABLED" in os.environ:
    MIGRATION_MODULES = {{"demo_shop": None}}
""",
    "sales/__init__.py": "",
    # An app that has never had migrations.
    "sales/models.py": """
from django.db import models
from django_risingwave.models import MaterializedView, RisingWaveModel

class Best(MaterializedView):
    id = models.BigIntegerField(primary_key=True)
    amount = models.IntegerField()

    class Stream:
        query = "SELECT id, amount FROM sales_large ORDER BY amount DESC LIMIT 1"

class Large(MaterializedView):
    id = models.BigIntegerField(primary_key=True)
    amount = models.IntegerField()

    class Stream:
        query = staticmethod(lambda: Sale.objects.filter(amount__gt=9))
        subscription = "1 day"

class Sale(RisingWaveModel):
    amount = models.IntegerField()
""",
    "test_views.py": """
from django.test import TestCase
from demo.shop.models import Order, StateTurnover
from sales.models import Best, Sale

class Views(TestCase):
    databases = {"default", "risingwave"}

    def test_a_view_follows_its_table(self):
        # The rows of an unmanaged model stay in a database that is kept.
        Order.objects.all().delete()
        Order.objects.create(qty=2, price=3, state="Ohio")
        self.assertEqual(StateTurnover.objects.get().turnover, 6)

    def test_a_view_over_a_view_that_only_its_model_declares_follows_its_table(self):
        for amount in (1, 10, 11):
            Sale.objects.create(amount=amount)
        self.assertEqual(Best.objects.get().amount, 11)
""",
}


@pytest.fixture
def project(connection: DatabaseWrapper, tmp_path: Path) -> Iterator[Path]:
    """The folder of a project that uses the shop."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    yield tmp_path
    with connection._nodb_cursor() as cursor:
        for alias in ("default", "risingwave"):
            cursor.execute(f'DROP DATABASE IF EXISTS "{DATABASE}_{alias}"')


DJANGO = ("-m", "django", "test", "--noinput")
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", "test_views.py")


@pytest.mark.parametrize(
    ("command", "variable"),
    [
        (DJANGO, "DISABLED"),
        (DJANGO, "MIGRATE"),
        ((*DJANGO, "--keepdb"), "MIGRATE"),
        ((*PYTEST, "--nomigrations"), "NONE"),
    ],
    ids=["MIGRATION_MODULES", "MIGRATE", "keepdb", "nomigrations"],
)
def test_a_view_follows_its_table_where_migrations_are_disabled(
    project: Path, connection: DatabaseWrapper, command: tuple[str, ...], variable: str
) -> None:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(project), str(processes.ROOT))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DJANGO_SETTINGS_MODULE": "settings",
        "DATABASE_URL": processes.database_url(connections["default"]),
        "RISINGWAVE_URL": processes.database_url(connection),
        variable: "1",
    }
    # With --keepdb, the second run finds the views of the first.
    for _ in range(2 if "--keepdb" in command else 1):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Ran 2 tests" in done.stderr or "2 passed" in done.stdout

"""`manage.py test` creates, keeps and drops the test databases of projects on this alias."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from tests import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from django_risingwave.base import DatabaseWrapper

    Run = Callable[..., subprocess.CompletedProcess[str]]

DATABASE = f"test_project_{os.getpid()}"
FILES = {
    "settings.py": f"""
import environ
env = environ.Env()
SECRET_KEY = "x"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django_risingwave", "shop"]
DATABASES = {{
    "default": env.db_url("DATABASE_URL"),
    "risingwave": env.db_url("RISINGWAVE_URL", engine="django_risingwave"),
}}
for alias, database in DATABASES.items():
    database["TEST"] = {{"NAME": "{DATABASE}_" + alias}}
DATABASES["risingwave"]["OPTIONS"]["implicit_flush"] = True
DATABASE_ROUTERS = ["django_risingwave.routers.RisingWaveRouter"]
""",
    # Everything is on RisingWave, users and content types too.
    "settings_alone.py": """
from settings import *
DATABASES = {"default": DATABASES["risingwave"]}
DATABASE_ROUTERS = []
""",
    "shop/__init__.py": "",
    "shop/models.py": """
from django.db import models
from django_risingwave.models import RisingWaveModel

class Customer(models.Model):
    name = models.CharField(max_length=20, unique=True)

class Item(RisingWaveModel):
    name = models.CharField(max_length=20)
    parent = models.ForeignKey("self", models.CASCADE, null=True)

    class Meta(RisingWaveModel.Meta):
        pass
""",
    "shop/tests.py": """
from django.conf import settings
from django.test import TestCase, TransactionTestCase
from shop.models import Customer, Item

class Rows(TestCase):
    databases = set(settings.DATABASES)

    @classmethod
    def setUpTestData(cls):
        cls.item = Item.objects.create(name="A")
        cls.customer = Customer.objects.create(name="A")

    def test_rows_of_the_class_are_there(self):
        self.assertEqual(Item.objects.get(), self.item)
        self.assertEqual(Customer.objects.get(), self.customer)
        Item.objects.create(name="B", parent=self.item)
        self.item.delete()
        Customer.objects.create(name="B")

    def test_rows_of_the_class_are_there_again(self):
        self.assertEqual(Item.objects.get(), self.item)
        self.assertEqual(Customer.objects.get(), self.customer)
        Item.objects.update(name="C")

class Flushed(TransactionTestCase):
    databases = set(settings.DATABASES)

    def test_rows_of_others_are_gone(self):
        self.assertFalse(Item.objects.exists())
        self.assertFalse(Customer.objects.exists())
        Item.objects.create(name="A")

    def test_rows_of_others_are_gone_again(self):
        self.test_rows_of_others_are_gone()
""",
    # Each test finds the rows that migrations created.
    "shop/tests_serialized.py": """
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.test import TransactionTestCase

class Serialized(TransactionTestCase):
    databases = set(settings.DATABASES)
    serialized_rollback = True

    def test_one(self):
        self.assertEqual(ContentType.objects.filter(app_label="shop").count(), 2)
        ContentType.objects.all().delete()

    test_two = test_one
""",
    # What a team does on its first day with the backend.
    "shop/tests_everyday.py": """
import io, tempfile, threading
from django.core.cache import caches
from django.core.management import call_command
from django.db import NotSupportedError, ProgrammingError, connection, connections
from django.test import TransactionTestCase, override_settings
from tests.django_risingwave.watch import Watch
from shop.models import Customer, Item

watch = Watch()
watch.start()
connection.close()

def command(*arguments):
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()

class Everyday(TransactionTestCase):
    def tearDown(self):
        self.assertEqual(watch.take(__name__), [])

    def test_fixtures(self):
        item = Item.objects.create(name="A")
        Item.objects.create(name="B", parent=item)
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            command("dumpdata", "shop", "--output", file.name)
            command("flush", "--no-input")
            self.assertFalse(Item.objects.exists())
            for _ in range(2):
                self.assertIn("Installed 2 object(s)", command("loaddata", file.name))
        self.assertEqual(Item.objects.get(name="B").parent, item)
        self.assertEqual(Item.objects.count(), 2)

    def test_commands(self):
        command("check", "--database", "default")
        self.assertIn("No planned migration operations", command("migrate", "--plan"))
        self.assertIn("[X] 0001_initial", command("showmigrations", "auth"))
        self.assertIn('CREATE TABLE "auth_user"', command("sqlmigrate", "auth", "0001"))
        self.assertIn('DELETE FROM "shop_item";', command("sqlflush"))
        command("sqlsequencereset", "shop")
        command("remove_stale_contenttypes", "--no-input")

    @override_settings(CACHES={"default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 5},
    }})
    def test_cache(self):
        command("createcachetable")
        command("createcachetable")
        cache = caches["default"]
        cache.set("a", 1)
        self.assertFalse(cache.add("a", 2))
        self.assertEqual(cache.incr("a"), 2)
        cache.set_many({str(number): number for number in range(10)})
        self.assertLessEqual(len(cache.get_many(map(str, range(10)))), 6)
        cache.clear()
        self.assertIsNone(cache.get("a"))

    def test_cursors(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT %(a)s || '%%' || %(b)s", {"a": "x", "b": "y"})
            self.assertEqual(cursor.fetchall(), [("x%y",)])
            cursor.execute("SELECT 'a' LIKE '%a'")
            self.assertEqual(cursor.fetchall(), [(True,)])
            cursor.executemany("INSERT INTO shop_item VALUES (%s, %s)", [(1, "A"), (2, "B")])
            cursor.callproc("version")
            self.assertIn("PostgreSQL", cursor.fetchone()[0])
            with self.assertRaises(NotSupportedError):
                cursor.callproc("version", (), {"a": 1})
            with self.assertRaises(ProgrammingError):
                cursor.callproc("nothing")
        names = [item.name for item in Item.objects.raw("SELECT * FROM shop_item WHERE name > %s", ["A"])]
        self.assertEqual(names, ["B"])

    async def test_asynchronously(self):
        item = await Item.objects.acreate(name="A")
        await Item.objects.aupdate_or_create(name="A", defaults={"name": "B"})
        self.assertEqual([row async for row in Item.objects.aiterator(chunk_size=1)], [item])
        await item.adelete()
        self.assertEqual(await Item.objects.acount(), 0)

    def test_in_threads(self):
        def write(number):
            Item.objects.create(name=str(number))
            connections.close_all()

        threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(Item.objects.count(), 5)
""",
}


@pytest.fixture
def run(connection: DatabaseWrapper, tmp_path: Path) -> Iterator[Run]:
    """Return a function that runs `manage.py test` in a project of its own."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(tmp_path), str(processes.ROOT))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DATABASE_URL": processes.database_url(connections["default"]),
        "RISINGWAVE_URL": processes.database_url(connection),
    }

    def run(*arguments: str, settings: str = "settings") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "django", "test", "--noinput", *arguments],
            cwd=tmp_path,
            env=environment | {"DJANGO_SETTINGS_MODULE": settings},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    yield run
    with connection._nodb_cursor() as cursor:
        for name in databases(connection):
            cursor.execute(f'DROP DATABASE "{name}"')


def databases(connection: DatabaseWrapper) -> list[str]:
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_catalog.pg_database ORDER BY datname")
        return [name for (name,) in cursor.fetchall() if name.startswith(DATABASE)]


@pytest.mark.parametrize("settings", ["settings", "settings_alone"])
def test_the_tests_of_a_project_pass(run: Run, connection: DatabaseWrapper, settings: str) -> None:
    for tests, count in (("shop.tests", 4), ("shop.tests_serialized", 2)):
        done = run(tests, settings=settings)
        assert done.returncode == 0, done.stderr
        assert f"Ran {count} tests" in done.stderr
    assert databases(connection) == []


def test_fixtures_commands_cache_cursors_and_threads_work_in_tests(run: Run) -> None:
    done = run("shop.tests_everyday", settings="settings_alone")
    assert done.returncode == 0, done.stderr
    assert "Ran 6 tests" in done.stderr


def test_keepdb_keeps_the_databases(run: Run, connection: DatabaseWrapper) -> None:
    for _ in range(2):
        done = run("shop.tests", "--keepdb")
        assert done.returncode == 0, done.stderr
        assert f"{DATABASE}_risingwave" in databases(connection)
    # A run without --keepdb finds the databases and creates them again.
    done = run("shop.tests")
    assert done.returncode == 0, done.stderr
    assert "Destroying old test database for alias 'risingwave'" in done.stderr
    assert databases(connection) == []


def test_a_parallel_run_is_refused_with_one_line(run: Run, connection: DatabaseWrapper) -> None:
    done = run("shop.tests", "--parallel", "2", settings="settings_alone")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "CommandError: RisingWave can't copy the database 'default', which parallel tests need. Run the "
        "tests without --parallel."
    )
    assert "Traceback" not in done.stderr
    assert databases(connection) == []


@pytest.mark.parametrize("name", ["CHARSET", "COLLATION", "TEMPLATE"])
def test_options_that_create_database_lacks_are_refused(
    connection: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(connection.settings_dict["TEST"], name, "x")
    with pytest.raises(ImproperlyConfigured, match=f"doesn't support {name}. Remove it from"):
        connection.creation.sql_table_creation_suffix()

"""The steps of the documentation's walkthroughs, followed as they are written."""

from __future__ import annotations

import ast
import dataclasses
import html
import re
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import connections, models
from django.db.migrations.state import ProjectState
from django.test.utils import isolate_apps
from django.utils import timezone

from demo.shop.catalogue import product_name
from demo.shop.models import Order
from django_risingwave.models import MaterializedView
from django_risingwave.streaming.detecting.state import StreamingModelState
from django_risingwave.streaming.model_operations import CreateStreamingModel
from live import checks, formats
from live.feeding.sources import find_sources
from live.rankings import RANKINGS, Ranking
from live.snapshots import Totals
from live.thresholds import Threshold
from live.windows import Window
from tests.conftest import BOTH
from tests.environments import Project, environ, read
from tests.processes import ROOT
from tests.test_docs import blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.migrations.operations.base import Operation

    from tests.processes import Server


def last_value(code: str, names: dict[str, Any]) -> Any:
    """Run the code, and return the value of its last expression."""
    *statements, last = ast.parse(code).body
    assert isinstance(last, ast.Expr)
    exec(compile(ast.Module(statements, []), "page", "exec"), names)
    return eval(compile(ast.Expression(last.value), "page", "eval"), names)


# README.md and docs/embedding.md -------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["README.md", "docs/embedding.md"])
def test_the_iframe_of_the_page_is_one_that_the_dashboard_offers(page: str, server: Server) -> None:
    [written] = [code for code in blocks(page, "html") if "<iframe" in code]
    host = re.search(r"https?://[^/]+", written)
    assert host
    offered = re.findall(r"<textarea[^>]*>(.*?)</textarea>", read(f"{server.url}/"), re.DOTALL)
    assert " ".join(written.replace(host[0], server.url).split()) in map(html.unescape, offered)


# docs/rankings.md ----------------------------------------------------------------------------------------

PAGE = (ROOT / "docs/rankings.md").read_text()
MODEL, LEADING, ENTRY, WINDOWS, WINDOWS_LEADING, *EXAMPLES = blocks("docs/rankings.md", "python")


def test_the_thresholds_of_the_page_are_some_that_a_ranking_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    [example] = [code for code in EXAMPLES if "Threshold" in code]
    thresholds = last_value(f"{example}\nthresholds", {})
    ranking = dataclasses.replace(RANKINGS["states-by-turnover"], thresholds=thresholds)
    monkeypatch.setattr(checks, "RANKINGS", {ranking.slug: ranking})
    assert checks.check_thresholds() == []


def test_the_page_has_each_argument_of_a_ranking_and_of_a_threshold() -> None:
    named = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))))
    #: What live sets itself.
    own = {"window", "version"}
    arguments = {field.name for kind in (Ranking, Threshold) for field in dataclasses.fields(kind)}
    assert arguments - own <= named


@pytest.fixture
def item_lines(transactional_db: None) -> Iterator[dict[str, Any]]:
    """Create what the page declares, drop it after the test, and return the names of its module of models."""
    names: dict[str, Any] = {
        "__name__": "demo.shop.models",
        "models": models,
        "MaterializedView": MaterializedView,
    }
    with isolate_apps("demo.shop"):
        exec(MODEL, names)
        exec(WINDOWS, names)
        exec(WINDOWS_LEADING, names)
    operations: list[Operation] = [last_value(LEADING, {})]
    # One window shows what the others do.
    operations += [operation for operation in names["operations"] if operation.slug.endswith("--1h")]
    before, after = ProjectState(), ProjectState()
    for model in (names["ItemLines"], names["ITEM_LINES_WINDOWS"][Window.HOUR]):
        state = StreamingModelState.from_model(model)
        assert state.definition
        create = CreateStreamingModel(
            model.__name__, list(state.fields.items()), state.options, definition=state.definition
        )
        create.state_forwards("demo_shop", after)
        operations.insert(0, create)
    for operation in operations:
        with connections["risingwave"].schema_editor() as editor:
            operation.database_forwards("demo_shop", editor, before, after)
    yield names
    for operation in reversed(operations):
        with connections["risingwave"].schema_editor() as editor:
            operation.database_backwards("demo_shop", editor, after, before)


@BOTH
def test_the_ranking_of_the_page_shows_the_products_in_the_most_order_lines(
    item_lines: dict[str, Any], orders: Callable[..., None]
) -> None:
    names = item_lines
    names |= {"Ranking": Ranking, "product_name": product_name, "formats": formats}
    ranking: Ranking = last_value(ENTRY, names | {"register": lambda ranking: ranking})
    orders((1, 2, 3.0, "Ohio"), (2, 9, 1.0, "Utah"), (1, 1, 1.0, "Utah"))
    assert ranking.heading == "Top 5 products by order lines"
    source = find_sources("risingwave", [ranking])[ranking.slug]
    assert source.relation == "products_by_lines_leading"
    assert source.rows() == ((1, 2.0), (2, 1.0))
    assert source.totals() == Totals(keys=2, sum=3.0)


@BOTH
def test_the_ranking_of_the_page_has_the_last_hour_too(
    item_lines: dict[str, Any], orders: Callable[..., None]
) -> None:
    names = item_lines
    names |= {"Ranking": Ranking, "product_name": product_name, "formats": formats}
    ranking: Ranking = last_value(ENTRY, names | {"register": lambda ranking: ranking})
    hour = replace(ranking, windows=names["ITEM_LINES_WINDOWS"]).within(Window.HOUR)
    orders((1, 2, 3.0, "Ohio"))
    placed_at = timezone.now() - timedelta(hours=2)
    Order.objects.create(orderid=2, itemid=2, qty=1, price=1.0, placed_at=placed_at)
    source = find_sources("risingwave", [hour])[hour.id]
    assert source.relation == "products_by_lines__1h_leading"
    assert source.rows() == ((1, 1.0),)
    assert source.totals() == Totals(keys=1, sum=1.0)


# docs/backend/README.md ----------------------------------------------------------------------------------

SETTINGS, MODELS, SESSION = blocks("docs/backend/README.md", "python")


@pytest.fixture
def database(transactional_db: None) -> Iterator[dict[str, Any]]:
    """Create an empty database on the tests' server, and return its connection's settings."""
    connection = connections["risingwave"]
    with connection._nodb_cursor() as cursor:
        cursor.execute("CREATE DATABASE quick_start")
    keys = ("HOST", "PORT", "USER", "PASSWORD", "OPTIONS")
    yield {key: connection.settings_dict[key] for key in keys} | {"NAME": "quick_start"}
    with connection._nodb_cursor() as cursor:
        cursor.execute("DROP DATABASE quick_start")


def quick_start_settings(database: dict[str, Any]) -> str:
    """Return the settings of the page, with the project's own where the page leaves some out."""
    settings = SETTINGS
    for written, meant in (
        ("[...,", "[*INSTALLED_APPS,"),
        ('{"ENGINE": "django.db.backends.postgresql", ...}', 'DATABASES["default"]'),
        ('"HOST": "127.0.0.1", "PORT": 4566, "USER": "root", "NAME": "dev",', f"**{database!r},"),
        ('{"implicit_flush": True}', f"{database['OPTIONS']!r} | {{'implicit_flush': True}}"),
    ):
        assert written in settings
        settings = settings.replace(written, meant)
    return settings


@pytest.fixture
def quick_start(database: dict[str, Any], tmp_path: Path) -> Project:
    """A project made by the steps of the page, up to its migrations."""
    call_command("startproject", "website", tmp_path)
    project = Project(tmp_path, Path(sys.executable), environ() | {"PYTHONPATH": str(ROOT)})
    (tmp_path / "shop" / "migrations").mkdir(parents=True)
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "migrations" / "__init__.py").touch()
    (tmp_path / "shop" / "models.py").write_text(MODELS)
    with (tmp_path / "website" / "settings.py").open("a") as settings:
        settings.write(quick_start_settings(database))
    project.manage("makemigrations", "shop")
    return project


@BOTH
def test_the_quick_start_of_the_backend_ends_with_the_turnover_of_the_page(quick_start: Project) -> None:
    project = quick_start
    project.manage("migrate")
    project.manage("migrate", "--database", "risingwave")
    lines = re.findall(r"^>>> (.*)$", SESSION, re.MULTILINE)
    expected = SESSION.splitlines()[-1]
    code = "\n".join(["from shop.models import *", *lines[:-1], f"print(repr({lines[-1]}))"])
    assert project.manage("shell", "--verbosity", "0", "--command", code).splitlines()[-1] == expected


#: Each test finds only its own order, in the table and in the view.
ORDERS_OF_TESTS = """
from django.test import TestCase
from shop.models import Order, StateTurnover

class First(TestCase):
    databases = {"default", "risingwave"}

    def test_finds_its_own_order_only(self):
        Order.objects.create(qty=2, price=1.5, state="CA")
        self.assertEqual(Order.objects.count(), 1)
        self.assertEqual(StateTurnover.objects.get(state="CA").turnover, 3)

class Second(First):
    pass
"""


@BOTH
def test_a_test_of_the_quick_start_does_not_see_the_rows_of_another(quick_start: Project) -> None:
    (quick_start.folder / "shop" / "tests.py").write_text(ORDERS_OF_TESTS)
    quick_start.manage("test")


@BOTH
def test_a_changed_query_of_the_quick_start_changes_its_view(quick_start: Project) -> None:
    quick_start.manage("migrate", "--database", "risingwave")
    models = quick_start.folder / "shop" / "models.py"
    models.write_text(models.read_text().replace("sum((qty * price)::numeric)", "sum(qty * 2)::numeric"))
    quick_start.manage("makemigrations", "shop")
    assert (quick_start.folder / "shop" / "migrations" / "0002_alter_stateturnover.py").exists()
    quick_start.manage("migrate", "--database", "risingwave")
    code = "from shop.models import *; Order.objects.create(state='CA', qty=2, price=3); "
    code += "print(StateTurnover.objects.get().turnover)"
    assert quick_start.manage("shell", "--verbosity", "0", "--command", code).split() == ["4"]


@BOTH
def test_a_field_added_to_the_model_of_the_quick_start_is_added_to_its_table(quick_start: Project) -> None:
    quick_start.manage("migrate", "--database", "risingwave")
    models = quick_start.folder / "shop" / "models.py"
    field = "    state = models.CharField(max_length=255, null=True)\n"
    models.write_text(models.read_text().replace(field, f"{field}    note = models.TextField(null=True)\n"))
    quick_start.manage("makemigrations", "shop")
    quick_start.manage("migrate", "--database", "risingwave")
    code = "from shop.models import Order; Order.objects.create(note='a'); print(Order.objects.get().note)"
    assert quick_start.manage("shell", "--verbosity", "0", "--command", code).split() == ["a"]

"""A project's own tests run on a stand-in, with a few lines of its conftest or its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.django_risingwave.testing import project
from tests.test_docs import blocks

if TYPE_CHECKING:
    from tests.django_risingwave.testing.project import TestedProject

CONFTEST, PAGE_TESTS, ALIASES, RUNNER, _ = blocks("docs/backend/testing.md", "python")
TESTS = """\
import pytest
from django.db import connections
from shop.models import ItemQuantity, Order

pytestmark = pytest.mark.django_db(databases=["default", "risingwave"], transaction=True)

def test_a_row_of_the_view_follows_its_order(fresh):
    Order.objects.create(id=1, item=7, qty=2)
    assert fresh(ItemQuantity, item=7, quantity=2).get().quantity == 2
    assert fresh(ItemQuantity).count() == 1

def test_a_test_does_not_see_the_rows_of_another(fresh):
    assert not fresh(ItemQuantity).exists()
    assert connections["risingwave"].server_name.endswith("(stand-in)")

def test_the_double_receives_what_risingwave_would(risingwave_double, fresh):
    Order.objects.create(id=2, item=8, qty=3)
    fresh(ItemQuantity, item=8)
    assert connections["risingwave"].server_name == "RisingWave 2.8.0"
    assert any(sql.startswith('INSERT INTO "orders"') for sql in risingwave_double.statements)
    assert "FLUSH" in risingwave_double.statements
    connections["risingwave"].cursor().execute("SELECT 1")
    assert "SELECT 1" in risingwave_double.statements

def test_a_row_that_never_comes_is_named_with_the_rows_that_are_there(fresh):
    Order.objects.create(id=3, item=9, qty=1)
    with pytest.raises(AssertionError) as caught:
        fresh(ItemQuantity, seconds=0.1, item=9, quantity=5)
    assert str(caught.value) == (
        "ItemQuantity has no row with item=9, quantity=5 after 0.1 s.\\nIts rows:\\n"
        "  {'item': 9, 'quantity': 1}"
    )
"""

#: Without the plugins that this repository has for its own tests.
PYTEST = ("-m", "pytest", "-p", "pytest_django.plugin", "-p", "no:cacheprovider")

UNITTEST = """\
from django.test import TestCase
from django_risingwave.testing import fresh
from shop.models import ItemQuantity, Order

class Quantities(TestCase):
    databases = {"default", "risingwave"}

    def test_follow(self):
        Order.objects.create(id=1, item=7, qty=2)
        self.assertEqual(fresh(ItemQuantity, item=7).get().quantity, 2)
"""


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> TestedProject:
    return project.create(tmp_path_factory.mktemp("tested"))


def test_one_line_of_a_conftest_gives_a_stand_in_freshness_and_the_double(
    tested: TestedProject,
) -> None:
    tested.write("conftest.py", CONFTEST)
    tested.write("shop/test_quantities.py", PAGE_TESTS)
    tested.write("shop/test_more.py", TESTS)
    assert "6 passed" in tested.run(*PYTEST)


@pytest.mark.unversioned
def test_the_servers_of_the_settings_are_used_where_the_command_line_says_so(tested: TestedProject) -> None:
    tested.write("conftest.py", CONFTEST)
    tested.write("shop/test_quantities.py", PAGE_TESTS)
    refused = tested.run(*PYTEST, "--no-standin", code=1)
    assert "risingwave.invalid" in refused


def test_the_test_runner_gives_manage_py_test_a_stand_in(tested: TestedProject) -> None:
    tested.write("settings.py", f"{project.FILES['settings.py']}\n{RUNNER}")
    tested.write("shop/tests.py", UNITTEST)
    assert "Ran 1 test" in tested.run("manage.py", "test", "shop")


@pytest.mark.unversioned
def test_an_alias_of_another_kind_of_database_is_refused_in_words(tested: TestedProject) -> None:
    tested.write("conftest.py", f"import pytest\n{CONFTEST}\n{ALIASES}")
    tested.write("shop/test_quantities.py", PAGE_TESTS)
    refused = tested.run(*PYTEST, code=1)
    assert (
        "The stand-in can't take the place of DATABASES['default'], whose ENGINE is "
        "'django.db.backends.sqlite3'. Choose those of RisingWave and PostgreSQL."
    ) in refused

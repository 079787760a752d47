"""docs/backend/relations.md, followed in a project whose customers are in PostgreSQL."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections

from tests.conftest import BOTH
from tests.environments import Project, environ
from tests.processes import ROOT
from tests.test_docs import blocks

pytestmark = BOTH

ID, IN_BULK, ROUTERS, FOREIGN_KEY = blocks("docs/backend/relations.md", "python")
CUSTOMER = """
from django.db import models
from django_risingwave.fields import RowIdField
from django_risingwave.models import RisingWaveModel

class Customer(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self):
        return self.name

"""
META = """
    class Meta(RisingWaveModel.Meta):
        pass
"""
ADMIN = """
from django.contrib import admin
from shop.models import Customer, Order

admin.site.register(Customer)

@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["qty", "customer"]
    list_select_related = ()
"""
TESTS = """
from django.contrib.auth.models import User
from django.db import DatabaseError, NotSupportedError
from django.test import TestCase
from shop.models import Customer, Order

class Relations(TestCase):
    databases = {"default", "risingwave"}

    def setUp(self):
        self.ann = Customer.objects.create(name="Ann")
        self.bob = Customer.objects.create(name="Bob")
        Order.objects.create(customer=self.ann, qty=1)
        Order(customer=self.bob, qty=2).save()
        self.ann.orders.create(qty=3)

    def test_orders_and_customers_find_each_other(self):
        self.assertEqual(Order.objects.get(qty=2).customer, self.bob)
        self.assertEqual(self.ann.orders.count(), 2)
        self.assertEqual(Order.objects.filter(customer=self.ann).count(), 2)
        self.assertEqual(Order.objects.filter(customer__in=[self.ann, self.bob]).count(), 3)
        with self.assertNumQueries(1, using="default"):
            names = {order.customer.name for order in Order.objects.prefetch_related("customer")}
        self.assertEqual(names, {"Ann", "Bob"})
        with self.assertNumQueries(1, using="risingwave"):
            customers = Customer.objects.prefetch_related("orders")
            self.assertEqual({c.name: len(c.orders.all()) for c in customers}, {"Ann": 2, "Bob": 1})

    def test_a_customer_can_be_assigned(self):
        order = Order.objects.get(qty=2)
        order.customer = self.ann
        order.full_clean()
        order.save()
        self.assertEqual(self.ann.orders.count(), 3)

    def test_a_deleted_customer_leaves_the_orders(self):
        self.ann.delete()
        self.assertEqual(Order.objects.count(), 3)
        with self.assertRaises(Customer.DoesNotExist):
            Order.objects.get(qty=1).customer
        Customer.objects.all().delete()

    def test_customers_are_deleted_in_the_admin(self):
        self.client.force_login(User.objects.create_superuser("root"))
        listing = self.client.get("/admin/shop/order/")
        self.assertContains(listing, "Bob")
        answer = self.client.post(f"/admin/shop/customer/{self.ann.pk}/delete/", {"post": "yes"})
        self.assertRedirects(answer, "/admin/shop/customer/")
        chosen = {"action": "delete_selected", "_selected_action": self.bob.pk, "post": "yes"}
        self.client.post("/admin/shop/customer/", chosen)
        self.assertFalse(Customer.objects.exists())

    def test_an_order_is_saved_in_the_admin(self):
        self.client.force_login(User.objects.create_superuser("root"))
        key = Order.objects.get(qty=2).pk
        self.assertContains(self.client.get(f"/admin/shop/order/{key}/change/"), "Bob")
        self.client.post(f"/admin/shop/order/{key}/change/", {"customer": self.ann.pk, "qty": 5})
        self.assertEqual(Order.objects.get(pk=key).customer, self.ann)

    def test_joins_are_refused(self):
        orders = Order.objects
        for queryset in (
            orders.select_related("customer"),
            orders.filter(customer__name="Ann"),
            orders.order_by("customer__name"),
            orders.values("customer__name"),
            orders.exclude(customer__name="Ann"),
            orders.filter(customer__in=Customer.objects.filter(name="Ann")),
        ):
            message = "shop.Order and shop.Customer are in different databases"
            with self.assertRaisesMessage(NotSupportedError, message):
                list(queryset)
        with self.assertRaisesMessage(NotSupportedError, message):
            orders.filter(customer__name="Ann").update(qty=1)

    def test_joins_in_the_other_database_are_an_error(self):
        with self.assertRaises(DatabaseError):
            list(Customer.objects.filter(orders__qty=2))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a database in SQLite and the alias `risingwave`, and the app shop without models."""
    call_command("startproject", "website", tmp_path)
    settings = connections["risingwave"].settings_dict
    keys = ("ENGINE", "HOST", "PORT", "USER", "PASSWORD", "NAME", "OPTIONS")
    database = {key: settings[key] for key in keys} | {"TEST": {"NAME": "test_relations"}}
    database["OPTIONS"] = database["OPTIONS"] | {"implicit_flush": True}
    with (tmp_path / "website" / "settings.py").open("a") as file:
        file.write(
            'INSTALLED_APPS = [*INSTALLED_APPS, "django_risingwave", "shop"]\n'
            f'DATABASES["risingwave"] = {database!r}\n'
            'DATABASE_ROUTERS = ["django_risingwave.routers.RisingWaveRouter"]\n'
        )
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    return Project(tmp_path, Path(sys.executable), environ() | {"PYTHONPATH": str(ROOT)})


def write(project: Project, **modules: str) -> None:
    for name, text in modules.items():
        (project.folder / "shop" / f"{name}.py").write_text(text)


def use(project: Project, code: str) -> None:
    """Append code to the project's settings."""
    with (project.folder / "website" / "settings.py").open("a") as file:
        file.write(code)


CHECK = """
from django.core.checks import run_checks
for found in run_checks():
    if found.id == "django_risingwave.E008":
        print(found.obj, "|", found.hint)
"""


def named(project: Project) -> str:
    """Return what the system check prints about relations."""
    return project.manage("shell", "--verbosity", "0", "--command", CHECK)


def test_an_id_needs_nothing_else(project: Project) -> None:
    write(project, models=CUSTOMER + ID + META)
    assert named(project) == ""
    code = f"from shop.models import *\norders = []\n{IN_BULK}\nprint(customers)"
    project.manage("makemigrations", "shop")
    project.manage("migrate")
    assert project.manage("shell", "--verbosity", "0", "--command", code) == "{}\n"


def test_a_foreign_key_as_on_the_page_passes_the_check_and_works(project: Project) -> None:
    write(project, models=CUSTOMER + FOREIGN_KEY + META, admin=ADMIN, tests=TESTS)
    assert named(project).startswith("shop.Order.customer | Store the id")
    use(project, ROUTERS)
    assert named(project) == ""
    project.manage("makemigrations", "shop")
    project.manage("test")


def test_a_foreign_key_that_cascades_is_named(project: Project) -> None:
    use(project, ROUTERS)
    write(project, models=CUSTOMER + FOREIGN_KEY.replace("DO_NOTHING", "CASCADE") + META)
    assert "Or set on_delete=models.DO_NOTHING; see" in named(project)

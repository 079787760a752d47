"""The admin of read-only models shows rows and offers no change, also to superusers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core.checks import registry
from django.core.management import call_command
from django.db import connections, models
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.test.utils import isolate_apps
from django.urls import path

from demo.shop.models import Order, StateTurnover
from django_risingwave.admin import ReadOnlyAdmin, check_admin
from django_risingwave.models import MaterializedView, ReadOnlyModel, RisingWaveModel
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client, RequestFactory

site = admin.AdminSite("read-only")


@admin.register(StateTurnover, site=site)
class StateTurnoverAdmin(ReadOnlyAdmin):
    list_display = ("state", "turnover")


urlpatterns = [path("admin/", site.urls)]
LIST = "/admin/demo_shop/stateturnover/"
UTAH = f"{LIST}Utah/"


@BOTH
@pytest.mark.urls(__name__)
@pytest.mark.usefixtures("site_environment")  # the admin's static files
def test_a_superuser_sees_rows_and_nothing_to_change(
    client: Client, admin_user: User, orders: Callable[..., None]
) -> None:
    orders((1, 2, 3.0, "Utah"))
    client.force_login(admin_user)
    listing = client.get(LIST).content.decode()
    assert "Utah" in listing
    assert "delete_selected" not in listing
    assert "Add state turnover" not in listing
    row = client.get(f"{UTAH}change/").content.decode()
    assert "Utah" in row
    for button in ('name="_save"', "deletelink", "/delete/"):
        assert button not in row


@BOTH
@pytest.mark.urls(__name__)
@pytest.mark.usefixtures("site_environment")  # the admin's static files
def test_each_request_to_change_a_row_is_refused(
    client: Client, admin_user: User, orders: Callable[..., None]
) -> None:
    orders((1, 2, 3.0, "Utah"))
    client.force_login(admin_user)
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}add/", {"state": "Ohio", "turnover": "1"}).status_code == 403
    assert client.post(f"{UTAH}change/", {"state": "Utah", "turnover": "1"}).status_code == 403
    assert client.post(f"{UTAH}delete/", {"post": "yes"}).status_code == 403
    action = {"action": "delete_selected", "_selected_action": "Utah", "post": "yes"}
    client.post(LIST, action)
    assert StateTurnover.objects.get().turnover == 6


@BOTH
@pytest.mark.urls(__name__)
@pytest.mark.usefixtures("site_environment")  # the admin's static files
def test_rows_are_shown_to_users_with_the_permission_to_view_them(
    client: Client, orders: Callable[..., None]
) -> None:
    orders((1, 2, 3.0, "Utah"))
    user = User.objects.create(username="reader", is_staff=True)
    client.force_login(user)
    assert client.get(LIST).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_stateturnover"))
    assert client.get(LIST).status_code == 200
    assert client.get(f"{UTAH}change/").status_code == 200


@BOTH
@isolate_apps("django_risingwave")
def test_a_read_only_list_ignores_an_order_by_json(rf: RequestFactory, admin_user: User) -> None:
    class Item(RisingWaveModel):
        id = models.IntegerField(primary_key=True)
        attrs = models.JSONField()

        class Meta(RisingWaveModel.Meta):
            app_label = "django_risingwave"

    class ItemAdmin(ReadOnlyAdmin):
        list_display = ("id", "attrs")

    with connections["risingwave"].schema_editor() as editor:
        editor.create_model(Item)
    try:
        Item._default_manager.bulk_create([Item(id=2, attrs={"a": 1}), Item(id=1, attrs={"a": 2})])
        item_admin = ItemAdmin(Item, admin.AdminSite())
        request = rf.get("/", {"o": "1.0"})
        request.user = admin_user
        assert [item.id for item in item_admin.get_changelist_instance(request).result_list] == [1, 2]
        assert item_admin.get_sortable_by(request) == ["id"]
    finally:
        with connections["risingwave"].schema_editor() as editor:
            editor.delete_model(Item)


# Permissions ---------------------------------------------------------------------------------------------


def codenames(model: str) -> set[str]:
    found = Permission.objects.filter(content_type__app_label="demo_shop", content_type__model=model)
    return set(found.values_list("codename", flat=True))


def test_models_inherit_that_only_viewing_can_be_permitted() -> None:
    for model in apps.get_models():
        if issubclass(model, ReadOnlyModel):
            assert model._meta.default_permissions == ("view",)
    assert ReadOnlyModel._meta.default_permissions == MaterializedView._meta.default_permissions == ("view",)
    assert Order._meta.default_permissions == ("add", "change", "delete", "view")


@BOTH
def test_the_permissions_of_earlier_databases_are_left_alone() -> None:
    content_type = Permission.objects.get(codename="view_stateturnover").content_type
    earlier = Permission.objects.create(codename="change_stateturnover", content_type=content_type, name="x")
    assert codenames("stateturnover") == {"view_stateturnover", "change_stateturnover"}
    call_command("migrate", verbosity=0)
    assert codenames("stateturnover") == {"view_stateturnover", "change_stateturnover"}
    assert codenames("order") == {"add_order", "change_order", "delete_order", "view_order"}
    earlier.delete()


# The system check ----------------------------------------------------------------------------------------


def test_an_admin_that_offers_to_change_a_read_only_model_is_warned_about() -> None:
    other = admin.AdminSite("other")
    other.register(StateTurnover)
    (warning,) = check_admin()
    assert warning.id == "django_risingwave.W002"
    assert warning.msg == (
        "demo_shop.StateTurnover is read-only, but ModelAdmin offers to change it, which would raise "
        "ReadOnlyError."
    )
    assert "ReadOnlyAdmin" in (warning.hint or "")
    assert check_admin([apps.get_app_config("auth")]) == []
    other.unregister(StateTurnover)
    other.register(StateTurnover, ReadOnlyAdmin)
    assert check_admin() == []


def test_the_check_is_registered_and_the_admin_of_this_repository_passes() -> None:
    registered: set[Any] = set(registry.registry.get_checks())
    assert check_admin in registered
    assert check_admin() == []


def test_an_admin_that_offers_to_sort_by_json_is_warned_about() -> None:
    with isolate_apps("django_risingwave"):

        class Item(RisingWaveModel):
            attrs = models.JSONField()
            name = models.CharField(max_length=10)

            class Meta(RisingWaveModel.Meta):
                app_label = "django_risingwave"

    class ByJson(admin.ModelAdmin):
        list_display = ("name", "attrs")

    class ByName(ByJson):
        sortable_by = ("name",)

    class ByNumber(ByJson):
        list_display = ("name", "attrs_shown")

        @admin.display(ordering=Cast(KT("attrs__n"), models.FloatField()))
        def attrs_shown(self, item: Any) -> str:
            return str(item.attrs)

    other = admin.AdminSite("sorted")
    other.register(Item, ByJson)
    (warning,) = check_admin()
    assert warning.id == "django_risingwave.W003"
    assert warning.msg == (
        "ByJson offers to sort django_risingwave.Item by the JSONField attrs, which would raise "
        "NotSupportedError: RisingWave doesn't order JSON as PostgreSQL does."
    )
    assert 'Cast(KT("attrs__key"), FloatField())' in (warning.hint or "")
    for remedy in (ByName, ByNumber):
        other.unregister(Item)
        other.register(Item, remedy)
        assert check_admin() == []

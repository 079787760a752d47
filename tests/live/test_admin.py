"""The admin of the history and of crossed thresholds: whoever may sees them, and nobody changes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command

from live.models import Crossing, Record
from tests.conftest import BOTH

if TYPE_CHECKING:
    from django.test import Client

pytestmark = [BOTH, pytest.mark.usefixtures("site_environment")]  # the admin's static files
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
LISTS = {"/admin/live/record/": "view_record", "/admin/live/crossing/": "view_crossing"}


@pytest.fixture
def kept() -> None:
    Record.objects.create(ranking="states-by-turnover", at=NOON, rows=["Ohio", 2.5], keys=1, total=2.5)
    common = {"threshold": "row above 2.0", "value": 2.5, "began_at": NOON}
    Crossing.objects.create(ranking="states-by-turnover", key='"Ohio"', **common)
    Crossing.objects.create(ranking="states-by-turnover", key="", **common)
    Crossing.objects.create(ranking="gone", key='"Utah"', **common)


@pytest.mark.usefixtures("kept")
def test_a_superuser_sees_the_history_and_what_has_crossed_a_threshold(
    client: Client, admin_user: User
) -> None:
    client.force_login(admin_user)
    record, crossing = (client.get(path).content.decode() for path in LISTS)
    assert "states-by-turnover" in record
    for text in ("Ohio", "Total", "Utah", "row above 2.0"):
        assert text in crossing
    key = Record.objects.get().pk
    assert "Ohio" in client.get(f"/admin/live/record/{key}/change/").content.decode()
    assert client.get("/admin/live/record/?q=x&o=1.-2&ranking=states-by-turnover").status_code == 200


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("path", LISTS)
def test_nobody_adds_changes_or_deletes_them(client: Client, admin_user: User, path: str) -> None:
    client.force_login(admin_user)
    model = Record if "record" in path else Crossing
    key = model._default_manager.values_list("pk", flat=True)[0]
    index = client.get("/admin/").content.decode()
    assert path in index
    assert f"{path}add/" not in index
    listing = client.get(path).content.decode()
    assert "delete_selected" not in listing
    assert f"{path}add/" not in listing
    assert client.post(f"{path}add/", {}).status_code == 403
    assert client.post(f"{path}{key}/change/", {"ranking": "x"}).status_code == 403
    assert client.post(f"{path}{key}/delete/", {"post": "yes"}).status_code == 403
    client.post(path, {"action": "delete_selected", "_selected_action": key, "post": "yes"})
    assert model._default_manager.filter(pk=key).exists()


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(("path", "permission"), LISTS.items())
def test_whoever_has_the_permission_sees_them(client: Client, path: str, permission: str) -> None:
    user = User.objects.create(username="reader", is_staff=True)
    client.force_login(user)
    assert client.get(path).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename=permission))
    assert client.get(path).status_code == 200


def test_the_migrations_are_those_of_the_models() -> None:
    call_command("makemigrations", "live", check=True, dry_run=True, verbosity=0)

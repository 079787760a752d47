"""A ranking is declared in a real browser, and viewers see it come, change and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission
from django.db import connections
from playwright.sync_api import expect

from tests import processes
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext

    from tests.processes import Server

pytestmark = [BOTH, pytest.mark.browser]


def execute(*statements: str) -> None:
    with connections["risingwave"].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def drinks(transactional_db) -> Iterator[None]:
    execute("CREATE TABLE drinks (drink varchar, sales numeric)", "INSERT INTO drinks VALUES ('Tea', 20)")
    yield
    execute("DROP TABLE drinks")


@pytest.fixture
def declaring_server(site_environment, tmp_path) -> Iterator[Server]:
    """The dashboard, open to all, where users may declare rankings."""
    with processes.daphne(site_environment | {"LIVE_USER_RANKINGS": "true"}, tmp_path / "log") as running:
        yield running


def log_in(context: BrowserContext, server: Server, client, django_user_model) -> None:
    user = django_user_model.objects.create_user("ada")
    user.user_permissions.add(Permission.objects.get(codename="add_ranking"))
    client.force_login(user)
    context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server.url}]
    )


def test_a_declared_ranking_is_previewed_saved_pushed_and_deleted(
    browser, context, drinks, orders, declaring_server, client, django_user_model
):
    viewer = browser.new_context().new_page()
    viewer.goto(declaring_server.url)
    expect(viewer.locator("#menu")).not_to_contain_text("Add a ranking")
    log_in(context, declaring_server, client, django_user_model)
    page = context.new_page()
    page.goto(declaring_server.url)
    page.locator("#menu summary").click()
    page.get_by_role("link", name="Add a ranking").click()

    page.get_by_role("searchbox").fill("drin")
    expect(page.locator("#relations li")).to_have_count(1)
    page.get_by_role("link", name="drinks").click()
    preview = page.locator("#preview")
    expect(preview).to_contain_text("Tea")
    expect(preview).to_contain_text("read every 5 s")
    page.get_by_label("Format").select_option("money")
    expect(preview).to_contain_text("Currency: Say which currency it is")
    page.get_by_label("Currency").fill("eur")
    page.get_by_label("Currency").press("Tab")
    expect(preview).to_contain_text("€20")
    page.get_by_label("Title").fill("drinks by sales")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Drinks by sales")

    viewer.reload()
    card = viewer.locator("#ranking-drinks-by-sales")
    expect(card).to_contain_text("€20")
    execute("INSERT INTO drinks VALUES ('Coffee', 1234)")
    expect(card.locator(".live-row").first).to_contain_text("Coffee")
    expect(card).to_contain_text("€1,234")

    page.locator("#menu summary").click()
    page.get_by_role("link", name="Change the ranking").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#ranking-drinks-by-sales")).to_have_count(0)
    # The viewer's board goes on without it.
    expect(card).to_have_count(0)
    expect(viewer.locator("#badge")).to_have_attribute("data-state", "live")
    viewer.context.close()

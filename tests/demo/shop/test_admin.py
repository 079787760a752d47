"""The admin of the shop: what a search finds, and what the counts say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.shop.admin import NewestPaginator
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User
    from django.test import Client

pytestmark = [BOTH, pytest.mark.usefixtures("site_environment")]  # the admin's static files
ORDERS = "/admin/demo_shop/order/"


@pytest.fixture
def listing(client: Client, admin_user: User, orders: Callable[..., None]) -> Callable[..., str]:
    """Return the text of the list for a search."""
    orders((1, 2, 3.0, "New York"), (2, 4, 5.0, "New Jersey"), (3, 6, 7.0, "O'Hi\"o"), (999, 1, 1.0, None))
    client.force_login(admin_user)
    return lambda search="": client.get(ORDERS, {"q": search} if search else {}).content.decode()


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("New York", {"New York"}),
        ("new  york", {"New York"}),
        ("york", {"New York"}),
        ("New", {"New York", "New Jersey"}),
        ("York New", set()),
        ("O'Hi\"o", {"O&#x27;Hi&quot;o"}),
        ("green tea", {"New Jersey"}),
        ("2", {"New Jersey"}),
        ("nothing \\", set()),
    ],
)
def test_a_search_finds_names_of_states_and_products(
    listing: Callable[..., str], search: str, found: set[str]
) -> None:
    rows = listing(search).partition("<tbody>")[2]
    assert {name for name in ("New York", "New Jersey", "O&#x27;Hi&quot;o") if name in rows} == found


def test_products_have_names(listing: Callable[..., str]) -> None:
    rows = listing()
    for name in ("Espresso Beans 250 g", "Green Tea 20 Bags", "Item 999"):
        assert name in rows


def test_a_count_that_ends_early_says_so(
    listing: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "4 orders" in " ".join(listing().split())
    monkeypatch.setattr(NewestPaginator, "MAX_ROWS", 3)
    text = " ".join(listing("e").split())
    assert "2 results" in text
    text = " ".join(listing().split())
    assert "more than 3 orders" in text
    assert "more than 3 results" in text

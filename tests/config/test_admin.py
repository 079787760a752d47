"""The admin with odd values in its addresses and forms: a page, a redirect or a 4xx, and no traceback."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import Permission, User
from django.db import connections

from demo.shop.models import Order
from live.logs.refused_requests import RequestErrorFilter
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

pytestmark = [BOTH, pytest.mark.usefixtures("site_environment")]  # the admin's static files

USERS, GROUPS, ORDERS = "/admin/auth/user/", "/admin/auth/group/", "/admin/demo_shop/order/"
ATTEMPTS = "/admin/axes/accessattempt/"
#: As they are in a URL.
VALUES = ["%5c", "%00", "%ff", "-1", "10000", "9" * 20, "NaN", "[]", "-1-01-01"]
#: The lookups of each list, separated by spaces.
LOOKUPS = {
    USERS: "q o p _facets e id__in username username__in username__regex password__startswith nothing "
    "date_joined__year last_login__range groups__id__exact",
    GROUPS: "q name name__regex permissions__id",
    ORDERS: "q o p all dt__year dt__gte dt__range price__range price__lt state state__regex row_id__in "
    "orderid__exact nothing",
}


@pytest.fixture
def logged() -> Iterator[list[logging.LogRecord]]:
    """What the console handler writes at level WARNING or above, with the filter of the site."""
    records: list[logging.LogRecord] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler = Handler(logging.WARNING)
    handler.addFilter(RequestErrorFilter())
    logging.getLogger().addHandler(handler)
    yield records
    logging.getLogger().removeHandler(handler)


def get(client: Client, url: str) -> int:
    client.raise_request_exception = False
    return client.get(url).status_code


@pytest.mark.parametrize("base", LOOKUPS)
def test_no_value_of_a_filter_or_a_page_number_is_a_server_error(
    client: Client,
    admin_user: User,
    orders: Callable[..., None],
    logged: list[logging.LogRecord],
    base: str,
) -> None:
    orders((1, 2, 3.0, "Utah"))
    client.force_login(admin_user)
    urls = [f"{base}?{lookup}={value}" for lookup in LOOKUPS[base].split() for value in VALUES]
    urls += [f"{base}{value}/{view}" for value in VALUES for view in ("", "change/", "delete/", "history/")]
    statuses = {url: get(client, url) for url in urls}
    assert {url: status for url, status in statuses.items() if status >= 500} == {}
    assert [record.getMessage() for record in logged if record.exc_info] == []
    # One line a kind and minute, though there were hundreds of requests.
    assert len(logged) < 12


@pytest.mark.parametrize("value", ["%00", "%5c"])
def test_a_list_whose_filter_the_database_refuses_is_shown_without_filters(
    client: Client, admin_user: User, orders: Callable[..., None], value: str
) -> None:
    orders((1, 2, 3.0, "Utah"))
    client.force_login(admin_user)
    answer = client.get(f"{ORDERS}?state__regex={value}", follow=True)
    assert answer.redirect_chain == [(f"{ORDERS}?e=1", 302)]
    assert "Utah" in answer.content.decode()


def test_an_autocompletion_that_the_database_refuses_is_a_bad_request(
    client: Client, admin_user: User, orders: Callable[..., None]
) -> None:
    client.force_login(admin_user)
    url = "/admin/autocomplete/?app_label=auth&model_name=user&field_name=groups&term=%00"
    assert get(client, url) == 400


@pytest.mark.parametrize("selected", ["\0", "x", "9" * 20, "-1"])
@pytest.mark.parametrize("base", [USERS, ORDERS])
def test_an_action_on_odd_rows_is_no_server_error(
    client: Client, admin_user: User, orders: Callable[..., None], base: str, selected: str
) -> None:
    client.raise_request_exception = False
    client.force_login(admin_user)
    data = {"action": "delete_selected", "_selected_action": selected, "index": "x\0", "post": "yes"}
    assert client.post(base, data).status_code < 500


def test_an_error_that_the_parameters_do_not_cause_is_a_server_error(
    client: Client,
    admin_user: User,
    orders: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise a mistake in an admin class would be hidden."""

    def broken(*args: object) -> None:
        raise ValueError("a mistake")

    monkeypatch.setattr("demo.shop.admin.OrderAdmin.get_queryset", broken)
    client.raise_request_exception = False
    client.force_login(admin_user)
    answer = client.get(f"{ORDERS}?q=1", follow=True)
    assert answer.redirect_chain == [(f"{ORDERS}?e=1", 302)]
    assert answer.status_code == 500


def test_a_refusal_for_lack_of_permission_has_no_traceback(
    client: Client, orders: Callable[..., None], logged: list[logging.LogRecord]
) -> None:
    user = User.objects.create(username="reader", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(user)
    for _ in range(3):
        assert get(client, USERS) == 403
    assert [line for line in logged if line.exc_info or USERS not in line.getMessage()] == []
    # One of this filter, and one of the console's own unless it has logged such a line lately.
    assert len(logged) in (1, 2)


@pytest.mark.parametrize("date", ["10000-01-01", "0044-03-15 BC", "infinity"])
def test_dates_that_python_does_not_have_are_shown(
    client: Client, admin_user: User, orders: Callable[..., None], date: str
) -> None:
    with connections["risingwave"].cursor() as cursor:
        cursor.execute("INSERT INTO orders (orderid, dt) VALUES (77, %s), (78, NULL)", [date])
    client.force_login(admin_user)
    assert date in client.get(ORDERS).content.decode()
    key = Order.objects.filter(orderid=77).values_list("row_id", flat=True).get()
    assert date in client.get(f"{ORDERS}{key}/change/").content.decode()
    assert get(client, f"{ORDERS}?o=5.-5") == 200


def test_failed_logins_can_be_deleted_to_end_a_wait_but_not_added_or_changed(
    client: Client, admin_user: User
) -> None:
    for _ in range(2):
        client.post("/login/", {"username": "ann", "password": "wrong"})
    client.force_login(admin_user)
    index = client.get("/admin/").content.decode()
    assert ATTEMPTS in index
    assert f"{ATTEMPTS}add/" not in index
    # django-axes would list its logs too, which this site doesn't fill.
    assert index.count("/admin/axes/access") == index.count(ATTEMPTS)
    row = AccessAttempt.objects.get()
    assert b'name="_save"' not in client.get(f"{ATTEMPTS}{row.pk}/change/").content
    assert get(client, f"{ATTEMPTS}add/") == 403
    assert client.post(f"{ATTEMPTS}{row.pk}/change/", {"username": "bob"}).status_code == 403
    assert client.post(f"{ATTEMPTS}{row.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not AccessAttempt.objects.exists()

"""One query declares the models of a ranking's windows."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.test.utils import isolate_apps

from django_risingwave.models import MaterializedView
from live.windowed_models import WINDOWS, condition, windowed_models
from live.windows import Window

QUERY = "SELECT shop, sum(amount) AS amount FROM sales WHERE {window} AND amount > 0 GROUP BY shop"


def sales_by_shop() -> type[MaterializedView]:
    class SalesByShop(MaterializedView):
        shop = models.CharField("the shop", max_length=20, primary_key=True)
        amount = models.DecimalField(max_digits=28, decimal_places=10)

        class Meta(MaterializedView.Meta):
            app_label = "demo_shop"
            db_table = "sales_by_shop"

    return SalesByShop


@isolate_apps("demo.shop")
def test_each_window_has_a_model_with_the_fields_of_the_ranking_and_a_view_of_its_own() -> None:
    found = windowed_models(sales_by_shop(), QUERY, column="sold_at")
    assert list(found) == list(WINDOWS)
    hour: Any = found[Window.HOUR]
    assert hour.__name__ == "SalesByShop1h"
    assert hour._meta.db_table == "sales_by_shop__1h"
    assert not hour._meta.managed
    assert [field.name for field in hour._meta.local_fields] == ["shop", "amount"]
    assert hour._meta.pk.verbose_name == "the shop"
    assert hour.Stream.query == (
        "SELECT shop, sum(amount) AS amount FROM sales "
        "WHERE sold_at > now() - INTERVAL '1 hour' AND amount > 0 GROUP BY shop"
    )
    assert len({model._meta.db_table for model in found.values()}) == len(WINDOWS)


@isolate_apps("demo.shop")
def test_a_project_chooses_its_windows() -> None:
    found = windowed_models(sales_by_shop(), QUERY, column="sold_at", windows=[Window.TODAY])
    assert [model.__name__ for model in found.values()] == ["SalesByShopToday"]


def test_the_day_is_that_of_the_site(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    assert condition(Window.TODAY, "sold_at") == (
        "date_trunc('day', sold_at, 'Europe/Berlin') + INTERVAL '1 day' > now()"
    )


@isolate_apps("demo.shop")
def test_a_query_without_a_place_for_the_window_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"SalesByShop must have \{window\}.*not 'SELECT 1'"):
        windowed_models(sales_by_shop(), "SELECT 1", column="sold_at")


def test_makemigrations_sees_the_models() -> None:
    names = {model.__name__ for model in apps.get_app_config("demo_shop").get_models()}
    assert {"StateTurnover15m", "StateTurnoverToday", "ItemTurnover7d"} <= names

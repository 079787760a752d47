"""The admin shows orders; it changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import CharField
from django.db.models.functions import Cast
from django.utils.functional import cached_property

from demo.shop.models import Order
from django_risingwave.admin import ReadOnlyAdmin

if TYPE_CHECKING:
    from django.http import HttpRequest


class NewestPaginator(Paginator):
    """Pages of the first MAX_ROWS rows: counting millions of rows is slow, and nobody reads that far."""

    MAX_ROWS = 10_000

    @cached_property
    def count(self) -> int:
        return self.object_list[: self.MAX_ROWS].count()  # type: ignore[attr-defined, no-any-return]  # a queryset


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Order lines, newest first, for users who may view them."""

    list_display = fields = ("orderid", "itemid", "qty", "price", "date", "state")
    list_display_links = ("orderid",)
    search_fields = ("=orderid", "=itemid", "=state")
    search_help_text = "The exact number of an order or an item, or the full name of a state"
    ordering = ("-row_id",)
    paginator = NewestPaginator
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> Any:
        # As text: the column may hold dates that Python doesn't have, such as those of the year 10000.
        queryset = super().get_queryset(request).defer("dt")
        return queryset.annotate(date_text=Cast("dt", CharField()))

    @admin.display(ordering="dt")
    def date(self, order: Order) -> str | None:
        return getattr(order, "date_text", None)

"""The admin shows orders; it changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.core.paginator import Paginator
from django.utils.functional import cached_property

from demo.shop.models import Order

if TYPE_CHECKING:
    from django.http import HttpRequest


class NewestPaginator(Paginator):
    """Pages of the first MAX_ROWS rows: counting millions of rows is slow, and nobody reads that far."""

    MAX_ROWS = 10_000

    @cached_property
    def count(self) -> int:
        return self.object_list[: self.MAX_ROWS].count()  # type: ignore[attr-defined, no-any-return]  # a queryset


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    """Order lines, newest first, for users who may view them."""

    list_display = ("orderid", "itemid", "qty", "price", "dt", "state")
    list_display_links = ("orderid",)
    search_fields = ("=orderid", "=itemid", "=state")
    search_help_text = "The exact number of an order or an item, or the full name of a state"
    ordering = ("-row_id",)
    paginator = NewestPaginator
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False

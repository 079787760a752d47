"""The admin shows orders; it changes nothing."""

from django.contrib import admin
from django.core.paginator import Paginator
from django.utils.functional import cached_property

from demo.shop.models import Order
from django_risingwave.admin import ReadOnlyAdmin


class NewestPaginator(Paginator):
    """Pages of the first MAX_ROWS rows: counting millions of rows is slow, and nobody reads that far."""

    MAX_ROWS = 10_000

    @cached_property
    def count(self) -> int:
        return self.object_list[: self.MAX_ROWS].count()  # type: ignore[attr-defined, no-any-return]  # a queryset


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Order lines, newest first, for users who may view them."""

    list_display = ("orderid", "itemid", "qty", "price", "dt", "state")
    list_display_links = ("orderid",)
    search_fields = ("=orderid", "=itemid", "=state")
    search_help_text = "The exact number of an order or an item, or the full name of a state"
    ordering = ("-row_id",)
    paginator = NewestPaginator
    show_full_result_count = False

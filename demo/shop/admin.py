"""The admin shows orders; it changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import CharField
from django.db.models.functions import Cast
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from demo.shop.catalogue import PRODUCTS, product_name
from demo.shop.models import Order
from django_risingwave.admin import ReadOnlyAdmin

if TYPE_CHECKING:
    from django.http import HttpRequest


class MoreThan(int):
    """A count that ended at this number. Its text says so: "more than 10,000"."""

    def __str__(self) -> str:
        return gettext("more than %(number)s") % {"number": number_format(int(self), force_grouping=True)}


class NewestPaginator(Paginator):
    """Pages of the first MAX_ROWS rows: counting millions of rows is slow, and nobody reads that far."""

    MAX_ROWS = 10_000

    @cached_property
    def count(self) -> int:
        count: int = self.object_list[: self.MAX_ROWS + 1].count()  # type: ignore[attr-defined]  # a queryset
        return count if count <= self.MAX_ROWS else MoreThan(self.MAX_ROWS)


def items_named(phrase: str) -> list[int]:
    """Return the items whose names contain the phrase. A number is that of an order or an item."""
    text = phrase.casefold()
    return [
        item for item, product in PRODUCTS.items() if text in product.name.casefold() and not text.isdigit()
    ]


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Order lines, newest first, for users who may view them."""

    list_display = ("orderid", "product", "qty", "price", "date", "placed", "state")
    fields = ("orderid", "itemid", *list_display[1:])
    list_display_links = ("orderid",)
    search_fields = ("=orderid", "=itemid", "state")
    search_help_text = _("The number of an order or an item, or a part of the name of a product or a state")
    ordering = ("-row_id",)
    paginator = NewestPaginator
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> Any:
        # As text: the columns may hold dates that Python doesn't have, such as those of the year 10000.
        queryset = super().get_queryset(request).defer("dt", "placed_at")
        return queryset.annotate(
            date_text=Cast("dt", CharField()), placed_text=Cast("placed_at", CharField())
        )

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search for all words together. Django would search for each of them in any column."""
        phrase = " ".join(search_term.split())
        if not phrase:
            return queryset, False
        quoted = '"{}"'.format(phrase.replace("\\", r"\\").replace('"', r"\""))
        found, has_duplicates = super().get_search_results(request, queryset, quoted)
        if items := items_named(phrase):
            found |= queryset.filter(itemid__in=items)
        return found, has_duplicates

    @admin.display(description=_("product"), ordering="itemid")
    def product(self, order: Order) -> str:
        return product_name(order.itemid)

    @admin.display(ordering="dt")
    def date(self, order: Order) -> str | None:
        return getattr(order, "date_text", None)

    @admin.display(ordering="placed_at", description=_("placed at"))
    def placed(self, order: Order) -> str | None:
        return getattr(order, "placed_text", None)

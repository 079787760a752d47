"""The admin of what `live` keeps: declared rankings to look at and to delete, and the history to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_risingwave.admin import ReadOnlyAdmin
from live.alerts.judging import name_of
from live.models import Crossing, DeclaredRanking, Record
from live.rankings import variants

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


@admin.register(DeclaredRanking)
class DeclaredRankingAdmin(admin.ModelAdmin):
    """Declared rankings. They are added and changed on the board, which shows what they look like."""

    list_display = ("title", "slug", "schema", "relation", "key", "measure", "owner", "changed_at")
    search_fields = ("title", "slug", "relation")
    list_select_related = ("owner",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return any(request.user.has_perm(f"live.{action}_ranking") for action in ("add", "change", "delete"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("live.delete_ranking")


@admin.register(Crossing)
class CrossingAdmin(ReadOnlyAdmin):
    """Values that have passed a threshold, the newest first."""

    list_display = fields = ("ranking", "what", "threshold", "value", "began_at", "ended_at")
    list_filter = ("ranking", "began_at")
    search_fields = ("ranking", "threshold", "key")
    ordering = ("-began_at",)

    @admin.display(description=_("name"), ordering="key")
    def what(self, crossing: Crossing) -> str:
        ranking = next((one for one in variants() if one.id == crossing.ranking), None)
        return (name_of(ranking, crossing.key) if ranking else crossing.key) or gettext("Total")


@admin.register(Record)
class RecordAdmin(ReadOnlyAdmin):
    """What rankings were, the newest first: a day by minute, and thirty by quarter-hour."""

    list_display = ("at", "ranking", "keys", "total", "milliseconds")
    fields = ("ranking", "at", "keys", "total", "milliseconds", "rows")
    list_filter = ("ranking", "at")
    ordering = ("-at", "ranking")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # A list of a hundred would load fifty rows of each.
        return super().get_queryset(request).defer("rows")

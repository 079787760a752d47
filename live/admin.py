"""The admin of what `live` keeps: rankings that users have declared, to look at and to delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

from live.models import DeclaredRanking

if TYPE_CHECKING:
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

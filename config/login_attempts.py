"""The admin of failed attempts to log in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axes.admin import AccessAttemptAdmin
from axes.models import AccessAttempt
from django.contrib import admin

if TYPE_CHECKING:
    from django.http import HttpRequest


@admin.register(AccessAttempt)
class AttemptAdmin(AccessAttemptAdmin):  # type: ignore[misc]  # django-axes has no types
    """Shows attempts, none of whose fields is editable. To delete them ends a user's or an address's wait."""

    def has_change_permission(self, request: HttpRequest, obj: AccessAttempt | None = None) -> bool:
        return False

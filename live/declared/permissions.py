"""Who may declare, change and delete rankings. Never somebody who isn't logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from live.conf import live_settings
from live.models import DeclaredRanking
from live.users import database as users_database

if TYPE_CHECKING:
    from django.http import HttpRequest

ADD, CHANGE, DELETE = "live.add_ranking", "live.change_ranking", "live.delete_ranking"


async def may_add(request: HttpRequest) -> bool:
    """Return whether the user of a request may declare rankings. Raises UsersUnavailableError."""
    return await _has(request, ADD)


async def may_change(request: HttpRequest, slug: str) -> bool:
    """Return whether the user may change the ranking: with the permission, or as its owner who may add some.

    False for a ranking of the code. Raises UsersUnavailableError.
    """
    return await _may(request, slug, CHANGE)


async def may_delete(request: HttpRequest, slug: str) -> bool:
    """Return whether the user may delete the ranking, as may_change()."""
    return await _may(request, slug, DELETE)


async def _may(request: HttpRequest, slug: str, permission: str) -> bool:
    if not live_settings.USER_RANKINGS:
        return False
    row = await users_database.ask(DeclaredRanking.objects.filter(slug=slug).afirst)
    if row is None:
        return False
    if await _has(request, permission):
        return True
    user = await users_database.ask(request.auser)
    return row.owner_id is not None and row.owner_id == user.pk and await _has(request, ADD)


async def _has(request: HttpRequest, permission: str) -> bool:
    if not live_settings.USER_RANKINGS or not hasattr(request, "auser"):
        return False
    user: Any = await users_database.ask(request.auser)
    if not user.is_authenticated or not user.is_active:
        return False
    # A user model of the project may have no asynchronous methods.
    has_permission = sync_to_async(user.has_perm, thread_sensitive=True)
    return bool(await users_database.ask(lambda: has_permission(permission)))

"""Who is invited to declare a ranking: on the menu, and on a board that has none."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import Error
from django.urls import reverse

from live.conf import live_settings
from live.declared.choices import find_page
from live.declared.permissions import may_add, may_change
from live.declared.sessions import ask
from live.rankings import RelationRanking
from live.users.database import UsersUnavailableError
from live.users.session_cookies import session_key

if TYPE_CHECKING:
    from django.http import HttpRequest

    from live.rankings import Ranking


async def is_invited(request: HttpRequest) -> bool:
    """Return whether the menu offers to declare a ranking: to those who may, as far as that is known."""
    if session_key(request.COOKIES) is not None:
        with suppress(UsersUnavailableError):
            return await may_add(request)
    return False


async def change_address(request: HttpRequest, ranking: Ranking) -> str:
    """Return where the user may change a ranking; "" if nobody can, or this user may not."""
    if not isinstance(ranking, RelationRanking) or session_key(request.COOKIES) is None:
        return ""
    with suppress(UsersUnavailableError):
        if await may_change(request, ranking.slug):
            return reverse("live:change-ranking", args=[ranking.slug])
    return ""


async def first_steps(request: HttpRequest) -> dict[str, Any]:
    """Return what the page of a board without rankings says to do next."""
    is_allowed, found = await is_invited(request), None
    if is_allowed:
        with suppress(Error, OSError):
            found = await ask(partial(find_page, search="", number=1))
    return {"is_enabled": live_settings.USER_RANKINGS, "may_add": is_allowed, "found": found}

"""What users have chosen on the page, kept in the database of the users."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.db import Error, transaction

from live.logs.repeated_lines import RepeatedLines
from live.models import Preferences
from live.users import database as users_database

if TYPE_CHECKING:
    from collections.abc import Mapping

_lines = RepeatedLines(logging.getLogger(__name__), logging.ERROR)


async def kept_by(user: Any) -> dict[str, str]:
    """Return what a user has chosen, by parameter: nothing if it can't be looked up."""
    if user is None or not user.is_authenticated:
        return {}

    async def ask() -> Any:
        return await Preferences.objects.filter(user_id=user.pk).values_list("values", flat=True).afirst()

    try:
        kept = await users_database.ask(ask)
    except users_database.UsersUnavailableError:
        return {}
    except Error as error:
        # Such as: `manage.py migrate` hasn't been run yet.
        _lines.log("read", "preferences: can't be read, so that pages show the defaults", error)
        return {}
    return kept if isinstance(kept, dict) else {}


async def keep(user: Any, chosen: Mapping[str, str]) -> None:
    """Add to what a user has chosen; an empty value is forgotten. Raises UsersUnavailableError."""
    await users_database.ask(lambda: sync_to_async(_keep)(user.pk, chosen))


def _keep(user_id: Any, chosen: Mapping[str, str]) -> None:
    with transaction.atomic(using=users_database.alias()):
        # Two pages of one user may choose at the same time.
        found, _ = Preferences.objects.select_for_update().get_or_create(user_id=user_id)
        known = found.values if isinstance(found.values, dict) else {}
        found.values = {name: value for name, value in {**known, **chosen}.items() if value}
        found.save(update_fields=["values"])

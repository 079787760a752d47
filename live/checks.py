"""What `manage.py check` says of the rankings."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured
from django.db import router

from live.rankings import RANKINGS


def check_rankings(**_: Any) -> list[CheckMessage]:
    """There are some, and all of them in one database, which the feed reads."""
    if not RANKINGS:
        return [
            CheckWarning(
                "There are no rankings to show.",
                hint="Register some in the module rankings.py of an installed app: docs/rankings.md.",
                id="live.W001",
            )
        ]
    try:
        aliases = {slug: router.db_for_read(ranking.model) for slug, ranking in RANKINGS.items()}
    except ImproperlyConfigured as error:
        return [Error(str(error), id="live.E001")]
    if len(set(aliases.values())) > 1:
        where = ", ".join(f"{slug} in {alias!r}" for slug, alias in aliases.items())
        return [
            Error(
                f"The rankings are in several databases: {where}.",
                hint="Put the materialized views of all of them into one.",
                id="live.E002",
            )
        ]
    return []

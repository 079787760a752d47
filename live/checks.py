"""What `manage.py check` says about the rankings and the settings of `live`."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured
from django.db import router

from live.conf import ORDERINGS, SETTINGS, live_settings
from live.rankings import RANKINGS
from live.setting_types import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from live.rankings import Ranking
    from live.thresholds import Threshold


def check_rankings(**_: Any) -> list[CheckMessage]:
    """Check that there are rankings, and that all are in one database: the feed reads only one."""
    if not RANKINGS and live_settings.USER_RANKINGS:
        return []  # Users declare them.
    if not RANKINGS:
        return [
            CheckWarning(
                "No rankings are registered.",
                hint="Register some in the module `rankings` of an installed app. See docs/rankings.md.",
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
                f"The rankings must be in one database, not in several: {where}.",
                hint="Create their materialized views in the same database.",
                id="live.E002",
            )
        ]
    return []


def check_thresholds(**_: Any) -> list[CheckMessage]:
    """Check that thresholds of a ranking differ, and that it has the windows and the total they are of."""
    return [
        Error(f"The ranking {ranking.slug!r} {message}.", hint=hint, id="live.E006")
        for ranking in RANKINGS.values()
        for position, threshold in enumerate(ranking.thresholds)
        for message, hint in _wrong_threshold(ranking, threshold, ranking.thresholds[:position])
    ]


def _wrong_threshold(
    ranking: Ranking, threshold: Threshold, others: Sequence[Threshold]
) -> Iterator[tuple[str, str]]:
    if any((one.name, one.window) == (threshold.name, threshold.window) for one in others):
        yield f'has the threshold "{threshold.name}" twice', "Remove one of them."
    if threshold.window not in ranking.variants:
        yield (
            f"has a threshold in the window {threshold.window!s}, which it doesn't declare",
            "Add the window to its `windows`, or leave it out of the threshold.",
        )
    if threshold.of == "total" and not ranking.summed:
        yield "has a threshold of its total, but isn't summed", 'Use a threshold of "row".'


def check_settings(**_: Any) -> list[CheckMessage]:
    """Check the values of the settings, the order of some, and the names that begin with LIVE_."""
    return _wrong_values() or [*_wrong_orderings(), *_mistyped_names()]


def _wrong_values() -> list[CheckMessage]:
    return [
        Error(
            f"{setting.name} must be {setting.allowed}"
            + (", and isn't." if setting.is_secret else f", not {setting.value!r}."),
            hint=f"Set it to {setting.unit}, such as {setting.default!r}.",
            id="live.E003",
        )
        for setting in SETTINGS.values()
        if not setting.is_valid(setting.value)
    ]


def _wrong_orderings() -> list[CheckMessage]:
    return [
        Error(
            f"{less.name} ({less.value}) must be less than {more.name} ({more.value}): {reason}.",
            hint="Lower the first or raise the second.",
            id="live.E004",
        )
        for less, more, reason in ORDERINGS
        if less.value >= more.value
    ]


def _mistyped_names() -> list[CheckMessage]:
    """Warn of unknown names that are close to a setting's. Other names may belong to another app."""
    known = [name.removeprefix(PREFIX) for name in SETTINGS]
    unknown = [name for name in dir(settings) if name.startswith(PREFIX) and name not in SETTINGS]
    return [
        CheckWarning(
            f"{name} is not a setting of live.",
            hint=f"Did you mean {PREFIX}{nearest[0]}?",
            id="live.W002",
        )
        for name in unknown
        if (nearest := get_close_matches(name.removeprefix(PREFIX), known, n=1, cutoff=0.7))
    ]

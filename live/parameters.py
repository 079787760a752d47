"""The query string of a request, read and checked; the same for HTTP and WebSocket."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.utils.translation import get_supported_language_variant
from django.utils.translation import gettext_noop as _

from live.errors import ParameterError
from live.formats import quoted
from live.rankings import RANKINGS, Ranking, select
from live.windows import Window

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from django.http import QueryDict

#: The values of `?top=`. The last is how many rows are kept of each ranking.
SIZES = (5, 10, 20, 50)
#: The values of `?theme=`. The first is the viewer's own.
THEMES = ("auto", "light", "dark")
#: The parameters that a selection consists of.
SELECTION = ("rankings", "window", "top", "language")


@dataclass(frozen=True)
class Selection:
    """What a page, a poll, a socket or a widget shows. What is rendered depends on nothing else."""

    #: Each in the window that was asked for, if it has that.
    rankings: Sequence[Ranking]
    window: Window
    #: The number of rows of each ranking; None for each ranking's own.
    size: int | None
    language: str

    @property
    def query(self) -> str:
        """The query string that asks for the same, without a question mark."""
        parameters = {"rankings": ",".join(ranking.slug for ranking in self.rankings)}
        if self.window is not Window.ALL:
            parameters["window"] = self.window
        if self.size is not None:
            parameters["top"] = str(self.size)
        return urlencode(parameters | {"language": self.language}, safe=",")


def supported_language(language: str | None) -> str:
    """Return the code among settings.LANGUAGES that is closest to a language, or to the site's."""
    for code in (language, settings.LANGUAGE_CODE):
        with suppress(LookupError):
            return get_supported_language_variant(code or "")
    return settings.LANGUAGES[0][0]


def check_known(query: QueryDict, known: Collection[str]) -> None:
    """Refuse parameters that aren't known, rather than ignore a mistyped one. Raises ParameterError."""
    for name in query:
        if name not in known:
            raise ParameterError(
                "Unknown parameter %(name)s. Use only: %(known)s.", name=quoted(name), known=", ".join(known)
            )


def one_of(query: QueryDict, name: str, choices: Sequence[str]) -> str:
    """Return the parameter's value, or the first choice if it is missing. Raises ParameterError."""
    value = query.get(name, choices[0])
    if value not in choices:
        raise _not_among(name, choices, value)
    return value


def _not_among(name: str, choices: Iterable[str], value: str) -> ParameterError:
    return ParameterError(
        _("%(name)s must be one of %(choices)s, not %(value)s."),
        name=name,
        choices=", ".join(choices),
        value=quoted(value),
    )


def moment(query: QueryDict) -> datetime | None:
    """Return the moment of the parameter `at`, None if it is missing. Raises ParameterError.

    It is written as in ISO 8601 with an offset, or as in RFC 9557 with the name of a time zone:
    2026-11-26T14:00+01:00, 2026-11-26T13:00Z, 2026-11-26T14:00[Europe/Berlin].
    """
    value = query.get("at")
    if value is None:
        return None
    # A plus that isn't percent-encoded is a space.
    written, _bracket, zone = value.strip().replace(" ", "+").removesuffix("]").partition("[")
    with suppress(ValueError, OverflowError, OSError, ZoneInfoNotFoundError):
        found = datetime.fromisoformat(written)
        if zone and found.tzinfo is None:
            found = found.replace(tzinfo=ZoneInfo(zone))
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    raise ParameterError(
        _(
            "at must be a moment with a time zone or an offset, such as 2026-11-26T14:00+01:00 or"
            " 2026-11-26T14:00[Europe/Berlin], not %(value)s."
        ),
        value=quoted(value),
    )


def theme(query: QueryDict) -> str:
    """Return the theme that a query string asks for, the viewer's own if it is missing or unknown."""
    return value if (value := query.get("theme")) in THEMES else THEMES[0]


def etags(query: QueryDict, name: str, max_count: int) -> frozenset[str]:
    """Return the comma-separated etags of a parameter, none if it is missing. Raises ParameterError."""
    value = query.get(name, "")
    values = value.split(",") if value else []
    if len(values) > max_count or not all(re.fullmatch(r"[0-9a-f]{16}", etag) for etag in values):
        raise ParameterError(
            "%(name)s must be at most %(count)s comma-separated etags, not %(value)s.",
            name=name,
            count=max_count,
            value=quoted(value),
        )
    return frozenset(values)


def selection(query: QueryDict, language: str | None = None) -> Selection:
    """Return the selection that a query string asks for, in this language unless it asks for another.

    Raises ParameterError, UnknownRankingError.
    """
    asked = window(query)
    top = query.get("top")
    if top is not None and top not in map(str, SIZES):
        raise _not_among("top", map(str, SIZES), top)
    default = supported_language(language)
    others = [code for code, _name in settings.LANGUAGES if code != default]
    return Selection(
        rankings=rankings(query, asked),
        window=asked,
        size=None if top is None else int(top),
        language=one_of(query, "language", (default, *others)),
    )


def window(query: QueryDict) -> Window:
    """Return the window that a query string asks for, all time by default. Raises ParameterError."""
    others = [window for window in Window if window is not Window.ALL]
    return Window(one_of(query, "window", (Window.ALL, *others)))


def rankings(query: QueryDict, window: Window = Window.ALL) -> list[Ranking]:
    """Return the rankings named by the parameter `rankings`, or all of them if it is missing.

    Raises ParameterError if it is empty, UnknownRankingError.
    """
    value = query.get("rankings")
    if value is None:
        return select(RANKINGS, window)
    if not value.strip(" ,"):
        raise ParameterError(
            _("rankings must not be empty. Leave it out to get all, or choose from: %(known)s."),
            known=", ".join(RANKINGS),
        )
    return select((slug.strip() for slug in value.split(",") if slug.strip()), window)

"""What a page shows and how: chosen by its URL, else by what its user has chosen before.

docs/board.md lists the parameters. What a user has chosen is kept in the form of the same parameters.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.http import QueryDict
from django.utils.translation import gettext_noop as _

from live import parameters
from live.errors import ParameterError
from live.formats import quoted
from live.parameters import SIZES, Selection
from live.rankings import RANKINGS, UnknownRankingError
from live.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.http import HttpRequest

THEMES = ("auto", "light", "dark")
#: Seconds between two polls that the page offers where the viewer doesn't want changes pushed.
INTERVALS = (5, 10, 30, 60, 300)
#: The longest interval that `?refresh=` and `?kiosk=` may ask for: an hour.
MAX_INTERVAL_SECONDS = 3600
#: The shortest: below it, polls would cost more than a socket.
MIN_INTERVAL_SECONDS = 2
#: Characters of a filter. Names on cards are cut at 200.
MAX_FILTER_LENGTH = 100
#: Boards that a kiosk takes turns with.
MAX_BOARDS = 50
#: The parameters that are kept for a user.
KEPT = (*parameters.SELECTION, "theme", "refresh", "filter", "shortcuts")
#: All parameters of pages. The pages ignore others, such as those of a newsletter's links.
PARAMETERS = (*KEPT, "kiosk", "boards", "at", "key", "span")


def query_of(request: HttpRequest, **changes: str) -> str:
    """Return the part of a request's query string that pages know, with these changes."""
    query = request.GET.copy()
    for name in [name for name in query if name not in PARAMETERS]:
        del query[name]
    for name, value in changes.items():
        query[name] = value
    return query.urlencode(safe=",")


def address(request: HttpRequest) -> str:
    """Return the path of a request, and the part of its query string that pages know."""
    query = query_of(request)
    return f"{request.path}?{query}" if query else request.path


@dataclass(frozen=True)
class Board:
    """What a page shows, and how."""

    selection: Selection
    #: The number of rows that is chosen; None for each ranking's own.
    top: int | None
    theme: str
    #: Seconds between two polls; None if changes are pushed.
    refresh: int | None
    #: Part of a row's name; with a filter, the page gets all leading rows. Empty for no filter.
    filter: str
    #: Whether single keys do something.
    shortcuts: bool


def board(query: QueryDict, kept: Mapping[str, str], language: str | None) -> Board:
    """Return what a page shows: what the URL asks for, else what is kept, else the defaults.

    Raises ParameterError and UnknownRankingError for what is wrong in the URL. What is kept and no longer
    possible is left out, such as a ranking that has been deleted.
    """
    chosen = _possible(kept)
    for name in KEPT:
        if name in query:
            # A form sends each checked ranking by itself.
            value = ",".join(query.getlist(name)) if name == "rankings" else query.get(name, "")
            # An empty choice of a form means the default.
            if value or name == "rankings":
                chosen[name] = value
            else:
                chosen.pop(name, None)
    return _parsed(_query(**chosen), language)


def _parsed(query: QueryDict, language: str | None = None) -> Board:
    text = query.get("filter", "").strip()
    if len(text) > MAX_FILTER_LENGTH:
        raise ParameterError(
            _("filter must have at most %(most)s characters, not %(length)s."),
            most=MAX_FILTER_LENGTH,
            length=len(text),
        )
    if "\x00" in text:
        raise ParameterError(_("filter must not have a NUL character."))
    selection = parameters.selection(query, language)
    return Board(
        # The browser leaves out the rows that don't match.
        selection=replace(selection, size=SIZES[-1]) if text else selection,
        top=selection.size,
        theme=parameters.one_of(query, "theme", THEMES),
        refresh=None if query.get("refresh", "push") == "push" else seconds(query, "refresh"),
        filter=text,
        shortcuts=parameters.one_of(query, "shortcuts", ("on", "off")) == "on",
    )


def seconds(query: QueryDict, name: str) -> int:
    """Return the whole seconds that the parameter `refresh` or `kiosk` asks for. Raises ParameterError."""
    value = query.get(name, "")
    if value.isascii() and value.isdigit() and len(value) <= len(str(MAX_INTERVAL_SECONDS)):
        number = int(value)
        if MIN_INTERVAL_SECONDS <= number <= MAX_INTERVAL_SECONDS:
            return number
    if name == "refresh":
        text = _("refresh must be push or a number of seconds from %(least)s to %(most)s, not %(value)s.")
    else:
        text = _("kiosk must be a number of seconds from %(least)s to %(most)s, not %(value)s.")
    raise ParameterError(text, least=MIN_INTERVAL_SECONDS, most=MAX_INTERVAL_SECONDS, value=quoted(value))


def checked(choices: QueryDict) -> dict[str, str]:
    """Return choices that are to be kept; an empty one means the default.

    Raises ParameterError and UnknownRankingError if one is unknown or not possible.
    """
    parameters.check_known(choices, KEPT)
    chosen = {name: choices.get(name, "").strip() for name in KEPT if name in choices}
    for name, value in chosen.items():
        if not value:
            continue
        parsed = _parsed(_query(**{name: value}))
        if name == "rankings":
            # Each once, so that what is kept stays small.
            chosen[name] = ",".join(ranking.slug for ranking in parsed.selection.rankings)
    return chosen


def _possible(kept: Mapping[str, str]) -> dict[str, str]:
    possible = {}
    for name in KEPT:
        value = kept.get(name)
        if not isinstance(value, str):
            continue
        if name == "rankings":
            value = ",".join(slug for slug in value.split(",") if slug in RANKINGS)
        if value:
            with suppress(ParameterError, UnknownRankingError):
                _parsed(_query(**{name: value}))
                possible[name] = value
    return possible


def _query(**chosen: str) -> QueryDict:
    query = QueryDict(mutable=True)
    query.update(chosen)
    return query


def windows(selection: Selection) -> list[Window]:
    """Return the windows that a page with these rankings offers: none where no ranking has several."""
    found = {window for ranking in selection.rankings for window in ranking.variants}
    return [window for window in Window if window in found] if len(found) > 1 else []


def rotation(query: QueryDict, selection: Selection) -> list[dict[str, str]]:
    """Return the boards that `?kiosk=<seconds>&boards=…` takes turns with, as parameters of each.

    An item of `boards` is a window, for the page's rankings in that window, or a slug, for that ranking
    alone. Without `boards` they are the page's windows, or its rankings if these have no windows. Raises
    ParameterError, UnknownRankingError.
    """
    if not query.get("kiosk"):
        return []
    seconds(query, "kiosk")
    items: Sequence[str] = [item.strip() for item in query.get("boards", "").split(",") if item.strip()]
    if len(items) > MAX_BOARDS:
        raise ParameterError(
            _("boards must be at most %(most)s windows and slugs, not %(count)s."),
            most=MAX_BOARDS,
            count=len(items),
        )
    if not items:
        items = windows(selection) or [ranking.slug for ranking in selection.rankings]
    return [_board_of(item) for item in items]


def _board_of(item: str) -> dict[str, str]:
    if item in list(Window):
        return {"window": str(item)}
    if item not in RANKINGS:
        raise UnknownRankingError(item)
    return {"rankings": item}

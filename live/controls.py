"""What the controls of a page show: the context of the template live/page.html."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.templatetags.static import static
from django.urls import reverse

from live import boards
from live.history_support import is_kept
from live.parameters import SIZES
from live.rankings import RANKINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest
    from django.utils.functional import _StrOrPromise

    from live.boards import Board
    from live.windows import Window

#: Those that board.js loads when they are needed.
SCRIPTS = ("alerts", "filter", "kiosk", "settings")


@dataclass(frozen=True)
class Choices:
    """What the settings of a page offer, and what is chosen: all that their dialog depends on."""

    #: The slug and the title of each ranking, and whether it is shown: those that are come first.
    rankings: tuple[tuple[str, _StrOrPromise, bool], ...]
    windows: tuple[Window, ...]
    window: Window
    #: None for each ranking's own number of rows.
    top: int | None
    #: None if changes are pushed.
    refresh: int | None
    theme: str
    #: Empty for the browser's.
    language: str
    shortcuts: bool
    has_thresholds: bool
    #: Whether they are kept in the database; the browser keeps those of others.
    keeps_for_user: bool
    #: The codes and the names of those that the site has.
    languages: tuple[tuple[str, _StrOrPromise], ...]
    sizes: tuple[int, ...] = SIZES[:-1]
    intervals: tuple[int, ...] = boards.INTERVALS


def context(
    request: HttpRequest, board: Board, kept: Mapping[str, str], user: Any, *, is_board: bool = True
) -> dict[str, Any]:
    """Return what the controls of a page need that shows this board. Raises as boards.rotation does.

    Pages other than the board have no kiosk and no filter.
    """
    selection = board.selection
    is_known = user is not None and user.is_authenticated
    windows = boards.windows(selection)
    data = {
        "isBoard": is_board,
        "window": selection.window,
        "filter": board.filter if is_board else "",
        "search": f"?{selection.query}",
        "rotation": boards.rotation(request.GET, selection),
        # None: the browser keeps what its viewer chooses.
        "kept": dict(kept) if is_known else None,
        "keepUrl": reverse("live:preferences"),
        # What a browser may have kept, and still may choose.
        "choices": {
            "rankings": list(RANKINGS),
            "window": windows,
            "top": [str(size) for size in SIZES[:-1]],
            "language": [code for code, _ in settings.LANGUAGES],
            "refresh": [str(seconds) for seconds in boards.INTERVALS],
            "filter": [],
        },
        "scripts": {name: static(f"live/{name}.js") for name in SCRIPTS},
    }
    return {
        "board": board,
        "is_board": is_board,
        "board_data": json.dumps(data, separators=(",", ":")),
        "windows": [
            {
                "window": window,
                "query": boards.query_of(request, window=window),
                "is_current": window == selection.window,
            }
            for window in windows
        ],
        "kiosk_query": boards.query_of(request, kiosk="") if is_board else "",
        "selection_query": selection.query,
        "choices": _choices(request, board, kept, keeps_for_user=is_known),
        "keeps_history": is_kept(),
    }


def _choices(request: HttpRequest, board: Board, kept: Mapping[str, str], *, keeps_for_user: bool) -> Choices:
    selection = board.selection
    shown = {ranking.slug: ranking for ranking in selection.rankings}
    return Choices(
        rankings=tuple(
            (slug, ranking.title, slug in shown) for slug, ranking in {**shown, **RANKINGS}.items()
        ),
        windows=tuple(boards.windows(selection)),
        window=selection.window,
        top=board.top,
        refresh=board.refresh,
        theme=board.theme,
        language=request.GET.get("language", kept.get("language", "")),
        shortcuts=board.shortcuts,
        has_thresholds=any(ranking.thresholds for ranking in selection.rankings),
        keeps_for_user=keeps_for_user,
        languages=tuple((code, name) for code, name in settings.LANGUAGES),
    )

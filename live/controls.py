"""What the controls of a page show: the context of the template live/page.html."""

from __future__ import annotations

import json
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

    from live.boards import Board

#: Those that board.js loads when they are needed.
SCRIPTS = ("alerts", "filter", "kiosk", "settings")


def context(
    request: HttpRequest, board: Board, kept: Mapping[str, str], user: Any, *, is_board: bool = True
) -> dict[str, Any]:
    """Return what the controls of a page need that shows this board. Raises as boards.rotation does.

    Pages other than the board have no kiosk and no filter.
    """
    selection = board.selection
    shown = [ranking.slug for ranking in selection.rankings]
    is_known = user is not None and user.is_authenticated
    windows = boards.windows(selection)
    data = {
        "isBoard": is_board,
        "window": selection.window,
        "filter": board.filter,
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
        # Those that are shown first, in their order.
        "rankings": [
            *((ranking, True) for ranking in selection.rankings),
            *((ranking, False) for slug, ranking in RANKINGS.items() if slug not in shown),
        ],
        "sizes": SIZES[:-1],
        "intervals": boards.INTERVALS,
        "languages": settings.LANGUAGES,
        "chosen_language": request.GET.get("language", kept.get("language", "")),
        "has_thresholds": any(getattr(ranking, "thresholds", ()) for ranking in selection.rankings),
        "keeps_for_user": is_known,
        "keeps_history": is_kept(),
    }

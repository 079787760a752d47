"""What a page shows: the URL wins over what is kept, and what is kept never breaks a page."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.http import QueryDict
from django.test import RequestFactory

from live import boards
from live.errors import ParameterError
from live.parameters import Selection
from live.rankings import RANKINGS, UnknownRankingError
from live.windows import Window

STATES, QUANTITY, TURNOVER = "states-by-turnover", "products-by-quantity", "products-by-turnover"


@pytest.fixture
def windowed(monkeypatch) -> None:
    """Two rankings have windows; the others have none."""
    for slug, windows in ((STATES, (Window.HOUR, Window.WEEK)), (TURNOVER, (Window.HOUR,))):
        ranking = RANKINGS[slug]
        models = dict.fromkeys(windows, ranking.model)
        monkeypatch.setitem(RANKINGS, slug, replace(ranking, windows=models))


def board(query: str = "", **kept: str) -> boards.Board:
    return boards.board(QueryDict(query), kept, "en")


def slugs(shown: boards.Board) -> list[str]:
    return [ranking.slug for ranking in shown.selection.rankings]


def test_the_url_wins_over_what_is_kept_and_what_is_kept_over_the_defaults():
    assert slugs(board()) == list(RANKINGS)
    kept = {"rankings": f"{QUANTITY},{STATES}", "top": "10", "theme": "dark", "refresh": "30"}
    shown = board(f"rankings={TURNOVER}&theme=light", **kept)
    assert (slugs(shown), shown.top, shown.theme, shown.refresh) == ([TURNOVER], 10, "light", 30)
    assert slugs(board(**kept)) == [QUANTITY, STATES]


def test_an_empty_choice_of_a_form_means_the_default_and_wins_too():
    shown = board("top=&theme=&refresh=&language=&shortcuts=", top="10", theme="dark", refresh="5")
    assert (shown.top, shown.theme, shown.refresh, shown.shortcuts) == (None, "auto", None, True)


def test_a_form_may_name_each_ranking_by_itself():
    assert slugs(board(f"rankings={TURNOVER}&rankings={STATES}")) == [TURNOVER, STATES]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("top=7", "top must be one of 5, 10, 20, 50, not '7'."),
        ("window=2h", "window must be one of"),
        ("theme=pink", "theme must be one of auto, light, dark, not 'pink'."),
        ("refresh=1", "refresh must be push or a number of seconds from 2 to 3600, not '1'."),
        ("refresh=٣٠", "refresh must be push or a number of seconds from 2 to 3600, not '٣٠'."),
        ("refresh=1e3", "refresh must be"),
        ("shortcuts=no", "shortcuts must be one of on, off, not 'no'."),
        ("rankings=", "rankings must not be empty."),
        (f"filter={'x' * 101}", "filter must have at most 100 characters, not 101."),
        ("filter=%00", "filter must not have a NUL character."),
    ],
)
def test_what_is_wrong_in_the_url_is_refused_by_name(query, message):
    with pytest.raises(ParameterError) as refused:
        board(query)
    assert str(refused.value).startswith(message)


def test_what_is_kept_and_no_longer_possible_is_left_out():
    kept = {"rankings": f"gone,{STATES}", "top": "7", "theme": "pink", "window": "2h", "language": "tlh"}
    shown = board(**kept, filter="x" * 1000, refresh="0")
    assert slugs(shown) == [STATES]
    assert (shown.top, shown.theme, shown.filter, shown.refresh) == (None, "auto", "", None)
    assert slugs(board(rankings="gone")) == list(RANKINGS)
    broken = boards.board(QueryDict(), {"top": 10, "rankings": None}, "en")  # type: ignore[dict-item]
    assert broken == board()


def test_a_filter_is_among_the_leading_rows_whatever_is_shown_without_it():
    shown = board("filter=tex&top=10")
    assert (shown.selection.size, shown.top, shown.filter) == (50, 10, "tex")


@pytest.mark.usefixtures("windowed")
def test_a_page_offers_the_windows_that_its_rankings_have():
    assert boards.windows(board().selection) == [Window.HOUR, Window.WEEK, Window.ALL]
    assert boards.windows(board(f"rankings={TURNOVER}&window=1h").selection) == [Window.HOUR, Window.ALL]
    assert boards.windows(board(f"rankings={QUANTITY}").selection) == []
    # Deleted while the page was read.
    gone = replace(RANKINGS[TURNOVER], slug="gone")
    assert boards.windows(Selection([gone], Window.ALL, None, "en")) == [Window.HOUR, Window.ALL]


@pytest.mark.usefixtures("windowed")
def test_a_kiosk_takes_turns_with_what_it_names_or_with_the_windows():
    def turns(query: str) -> list[dict[str, str]]:
        return boards.rotation(QueryDict(query), board(query).selection)

    assert turns("") == turns("kiosk") == turns("boards=1h") == []
    assert turns(f"kiosk=30&boards=1h,{STATES}") == [{"window": "1h"}, {"rankings": STATES}]
    assert turns("kiosk=30") == [{"window": "1h"}, {"window": "7d"}, {"window": "all"}]
    assert turns(f"kiosk=30&rankings={QUANTITY}") == [{"rankings": QUANTITY}]
    with pytest.raises(UnknownRankingError):
        turns("kiosk=30&boards=gone")
    with pytest.raises(ParameterError, match="kiosk must be a number of seconds from 2 to 3600"):
        turns("kiosk=fast")
    with pytest.raises(ParameterError, match="boards must be at most 50"):
        turns(f"kiosk=30&boards={'1h,' * 51}")


def test_choices_are_checked_before_they_are_kept():
    assert boards.checked(QueryDict("theme=dark&top=")) == {"theme": "dark", "top": ""}
    assert boards.checked(QueryDict(f"rankings={STATES},{STATES}")) == {"rankings": STATES}
    for wrong in ("theme=pink", "kiosk=1", "colour=red"):
        with pytest.raises(ParameterError):
            boards.checked(QueryDict(wrong))
    with pytest.raises(UnknownRankingError):
        boards.checked(QueryDict("rankings=gone"))


def test_an_address_keeps_what_pages_know_and_nothing_else():
    request = RequestFactory().get("/board/?utm_source=news&window=1h&rankings=a,b&kiosk")
    assert boards.address(request) == "/board/?window=1h&rankings=a,b&kiosk="
    assert boards.query_of(request, window="7d") == "window=7d&rankings=a,b&kiosk="
    assert boards.address(RequestFactory().get("/?utm_source=news")) == "/"

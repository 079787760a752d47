"""The pages of one ranking and of one key, and the export as CSV, from a real Daphne."""

from __future__ import annotations

import csv
import html
import io
import math
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from live.opened.exports import cell, csv_chunks
from live.rankings import RANKINGS
from tests.conftest import BOTH
from tests.live.test_views import get, get_until

if TYPE_CHECKING:
    from tests.live.test_views import Answer
    from tests.processes import Server

pytestmark = BOTH

PAGE = "/rankings/states-by-turnover/"
PATHS = (PAGE, f"{PAGE}chart/", f"{PAGE}csv/", f"{PAGE}key/?key=%22Ohio%22")


def table(answer: Answer) -> list[list[str]]:
    assert answer.body.startswith("\ufeff")
    return list(csv.reader(io.StringIO(answer.body[1:])))


# ---- all of them


@pytest.mark.parametrize("path", PATHS)
def test_they_need_a_login_and_lead_back_with_their_parameters(closed_server: Server, orders, path: str):
    orders((1, 1, 1.0, "Ohio"))
    answer = get(closed_server, path)
    assert answer.status == 302
    assert answer.headers["Location"] == f"/login/?next={quote(path)}"
    assert "Ohio" not in answer.body.replace("%22Ohio%22", "")


@pytest.mark.parametrize("path", PATHS)
def test_of_an_unknown_ranking_they_say_so(server: Server, orders, path: str):
    answer = get(server, path.replace("states-by-turnover", "nothing"))
    assert answer.status == 404
    assert "Unknown ranking" in answer.body


@pytest.mark.parametrize("path", PATHS)
def test_a_window_that_does_not_exist_is_refused_by_name(server: Server, orders, path: str):
    orders((1, 1, 1.0, "Ohio"))
    answer = get(server, path + ("&" if "?" in path else "?") + "window=2h")
    assert answer.status == 400
    assert "window must be one of" in answer.body


@pytest.mark.parametrize("path", PATHS)
def test_they_only_answer(server: Server, orders, path: str):
    token = "a" * 32
    answer = get(server, path, method="POST", Cookie=f"csrftoken={token}", X_CSRFToken=token)
    assert answer.status == 405


# ---- the page of a ranking


def test_the_page_has_fifty_rows_and_says_where_they_come_from(server: Server, orders):
    orders(*((1, number, 1.0, f"State {number}") for number in range(1, 61)))
    page = get_until(lambda page: "State 60" in page.body, server, PAGE)
    assert page.body.count('class="live-row"') == 50
    assert "State 11<" in page.body
    assert "State 10<" not in page.body
    # The view as the server has it, and the query of the feed.
    assert "CREATE MATERIALIZED VIEW" in page.body
    assert "GROUP BY" in page.body
    assert "NULLS LAST" in page.body
    assert "states_by_turnover_leading" in page.body
    assert f"{server.url.replace('http', 'ws')}/ws/rankings/?rankings=states-by-turnover" in page.body


def test_the_page_has_no_secret_of_the_database(server: Server, orders, site_environment):
    orders((1, 1, 1.0, "Ohio"))
    page = get_until(lambda page: "Ohio" in page.body, server, PAGE)
    for name in ("RISINGWAVE_URL", "DATABASE_URL"):
        url = urlsplit(site_environment[name])
        places = [*parse_qs(url.query).get("host", []), url.hostname, url.password, url.path.strip("/")]
        assert not [place for place in places if place and place in page.body]


def test_the_filter_of_the_board_hides_no_rows_of_the_page(server: Server, orders):
    orders((1, 1, 1.0, "Ohio"))
    page = get_until(lambda page: "Ohio" in page.body, server, f"{PAGE}?filter=zzz")
    assert '"filter":""' in html.unescape(page.body)


def test_a_span_that_does_not_exist_is_refused_by_name(server: Server, orders):
    answer = get(server, f"{PAGE}?span=2h")
    assert answer.status == 400
    assert "span must be one of" in answer.body


def test_the_chart_is_sent_once_to_a_browser_that_has_it(server: Server, orders):
    orders((1, 1, 1.0, "Ohio"))
    get_until(lambda page: "Ohio" in page.body, server, PAGE)
    chart = get(server, f"{PAGE}chart/")
    assert 'id="chart"' in chart.body
    again = get_until(
        lambda answer: answer.status in (200, 304),
        server,
        f"{PAGE}chart/",
        If_None_Match=chart.headers["ETag"],
    )
    # What is known of the last read is part of it, and may have changed.
    assert again.status == 304 or again.headers["ETag"] != chart.headers["ETag"]


# ---- CSV


def test_the_export_has_all_keys_with_exact_values_and_shared_ranks(server: Server, orders):
    orders(*((1, number, 0.1, f"State {number:03}") for number in range(1, 121)), (1, 1, 0.1, None))
    answer = get(server, f"{PAGE}csv/")
    assert answer.headers["Content-Type"].startswith("text/csv; charset=utf-8")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="states-by-turnover-')
    header, *rows = table(answer)
    assert header == ["rank", "key", "name", "turnover"]
    assert len(rows) == 121
    assert rows[0] == ["1", "State 120", "State 120", "12"]
    assert rows[118][0] == "119"
    assert rows[-1] == ["120", "", "(no state)", "0.1"]
    assert rows[-2] == ["120", "State 001", "State 001", "0.1"]


def test_no_text_of_the_export_is_a_formula_and_numbers_stay_numbers(server: Server, orders):
    formulas = ["=1+1", "+1", "-1+1", "@SUM(A1)", "\tTab", "\r=1", "＝1", '=HYPERLINK("x","y")']
    names = [*formulas, "-5", 'plain, "text"']
    orders(*((1, position, 1.0, name) for position, name in enumerate(names, start=1)), (1, -3, 1.0, "less"))
    _, *rows = table(get(server, f"{PAGE}csv/"))
    keys = {row[1] for row in rows}
    assert keys == {*(f"'{name}" for name in formulas), "-5", 'plain, "text"', "less"}
    assert rows[-1][3] == "-3"


def test_values_that_are_no_numbers_come_last_in_the_export_and_are_empty():
    ranking = RANKINGS["states-by-turnover"]
    pairs = [
        ("nan", math.nan),
        ("inf", Decimal("Infinity")),
        ("a", 2.5),
        ("b", 1),
        ("low", -math.inf),
        ("c", None),
    ]
    lines = b"".join(csv_chunks(ranking, pairs)).decode("utf-8-sig").splitlines()[1:]
    assert lines == ["1,a,a,2.5", "2,b,b,1", "3,c,c,", "3,nan,nan,", "3,inf,inf,", "3,low,low,"]


@pytest.mark.parametrize(
    ("text", "written"),
    [("a;=1+1", "a;'=1+1"), ("a\t=1", "a\t'=1"), ("\t@x", "'\t'@x"), ("a; b", "a; b"), ("a-1", "a-1")],
)
def test_no_part_of_a_text_is_a_formula_where_semicolons_or_tabs_separate_cells(text: str, written: str):
    assert cell(text) == written


def test_the_head_of_an_export_reads_nothing(server: Server, orders):
    answer = get(server, f"{PAGE}csv/", method="HEAD")
    assert answer.status == 200
    assert answer.headers["Content-Disposition"]
    assert answer.body == ""


# ---- the page of a key


def test_a_key_has_its_place_in_each_ranking_of_its_kind_and_its_latest_orders(server: Server, orders):
    orders(*((number, number, 1.0, "Ohio") for number in range(1, 8)), (7, 1, 1.0, "Utah"))
    get_until(lambda page: "Utah" in page.body, server, "/")
    page = get(server, "/rankings/products-by-turnover/key/?key=7")
    assert "Noise-Cancelling Headphones" in page.body
    places = page.body.split('class="places"')[1].split("</table>")[0]
    for title in ("Products by turnover", "Products by quantity", "Products by average quantity"):
        assert title in places
    assert "States by turnover" not in places
    assert page.body.count(">Ohio<") == 1
    assert page.body.count(">Utah<") == 1


def test_a_key_beyond_the_leading_rows_has_a_place_too(server: Server, orders):
    orders(*((1, number, 1.0, f"State {number}") for number in range(1, 71)))
    page = get_until(lambda page: "of 70" in page.body, server, f"{PAGE}key/?key=%22State%203%22")
    assert page.status == 200
    assert ">68 " in page.body
    assert "$3" in page.body


@pytest.mark.parametrize(
    ("state", "key"), [(None, "null"), ("", "%22%22"), ("..", "%22..%22"), ("a/b?<i>", "%22a/b?%3Ci%3E%22")]
)
def test_odd_keys_have_pages(server: Server, orders, state: str | None, key: str):
    orders((1, 1, 5.0, state))
    page = get_until(lambda page: page.status == 200, server, f"{PAGE}key/?key={key}")
    assert "Espresso Beans" in page.body
    assert "<i>" not in page.body


def test_an_unknown_key_is_not_found_by_name(server: Server, orders):
    orders((1, 1, 1.0, "Ohio"))
    for key, name in (("%22Nowhere%22", "Nowhere"), ("%22%3Cb%3E%22", "&lt;b&gt;")):
        answer = get(server, f"{PAGE}key/?key={key}")
        assert answer.status == 404
        assert "has no key" in answer.body
        assert name in answer.body
    answer = get(server, f"/rankings/products-by-turnover/key/?key={10**30}")
    assert answer.status == 404


def test_only_the_key_itself_has_a_page(server: Server, orders):
    orders((1, 1, 1.0, "17"))
    products, states = "/rankings/products-by-turnover/key/?key=", f"{PAGE}key/?key="
    assert get_until(lambda page: page.status == 200, server, f"{states}%2217%22").status == 200
    assert get(server, f"{products}1").status == 200
    for address in (
        f"{products}1.5",
        f"{products}%221%22",
        f"{products}-0.9",
        f"{states}17",
        f"{states}17.0",
    ):
        assert get(server, address).status == 404, address


def test_a_refusal_is_in_the_language_that_is_asked_for_and_of_programs_in_english(server: Server, orders):
    refused = {
        f"{PAGE}?window=2h&language=de": "window muss einer von",
        "/?refresh=1&language=de": "refresh muss push oder eine Zahl von Sekunden",
        "/embed/states-by-turnover/?top=7&language=de": "top muss einer von",
        "/rankings/nothing/?language=de": "Unbekannte Rangliste",
        f"{PAGE}key/?key=%22Nowhere%22&language=de": "hat keinen Schlüssel",
        f"{PAGE}?at=2999-01-01T00:00Z&language=de": "Der Zeitpunkt liegt in der Zukunft.",
    }
    for address, words in refused.items():
        assert words in html.unescape(get(server, address).body), address
    asked_by_browser = get(server, f"{PAGE}?window=2h&language=tlh", Accept_Language="de")
    assert "window muss einer von" in asked_by_browser.body
    assert '<html lang="de"' in asked_by_browser.body
    for address in ("/api/rankings/?top=7", "/api/rankings/?at=2999-01-01T00:00Z"):
        error = get(server, f"{address}&language=de", Accept_Language="de").json["error"]
        assert error.startswith(("top must be one of", "The moment is in the future.")), error


@pytest.mark.parametrize(
    "query", ["", "?key=", "?key=Ohio", "?key=%22%5Cu0000%22", "?key=%22%5Cud800%22", "?key=[1]"]
)
def test_what_no_key_can_be_is_refused(server: Server, orders, query: str):
    answer = get(server, f"{PAGE}key/{query}")
    assert answer.status == 400
    assert "must be a key of the ranking as JSON" in answer.body

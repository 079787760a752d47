"""The page, its polls, the JSON API and the widget, from a real Daphne."""

from __future__ import annotations

import gzip
import json
import re
import time
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest

from live.rankings import RANKINGS
from tests.conftest import BOTH
from tests.live.schemas import faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message

    from tests.processes import Server

pytestmark = BOTH


class NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        return None


class Answer:
    def __init__(self, status: int, headers: Message, body: str) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


def get(server: Server, path: str, method: str = "GET", **headers: str) -> Answer:
    request = Request(server.url + path, method=method)
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with build_opener(NoRedirects).open(request, timeout=60) as response:
            return Answer(response.status, response.headers, response.read().decode())
    except HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read().decode())


def get_until(condition: Callable[[Answer], bool], server: Server, path: str, **headers: str) -> Answer:
    """Ask until the answer is as expected: a snapshot may be older than what was just inserted."""
    deadline = time.monotonic() + 60
    while not condition(answer := get(server, path, **headers)):
        assert time.monotonic() < deadline, f"{path} still answers {answer.status}: {answer.body}"
        time.sleep(0.05)
    return answer


def policy(answer: Answer) -> dict[str, str]:
    directives = answer.headers["Content-Security-Policy"].split(";")
    return dict(directive.strip().split(" ", 1) for directive in directives)


# ---- the page


def test_the_page_shows_all_rankings_without_javascript_and_reloads_itself(server, orders):
    orders((1, 2, 3.0, "Ohio"))
    page = get_until(lambda page: "$6<" in page.body and "Ohio" in page.body, server, "/")
    assert page.status == 200
    for ranking in RANKINGS.values():
        assert f'id="ranking-{ranking.slug}"' in page.body
    assert re.search(r"<noscript><meta http-equiv=\"refresh\"", page.body)
    assert "(stand-in)" in page.body or "RisingWave" in page.body


def test_the_page_is_revalidated_each_time_and_stays_out_of_shared_caches(server, orders):
    assert get(server, "/").headers["Cache-Control"] == "private, no-cache"


def test_a_page_is_compressed_for_browsers_that_take_it(server, orders):
    address = Request(f"{server.url}/", headers={"Accept-Encoding": "gzip"})
    with build_opener().open(address) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in answer.headers["Vary"]
        page = gzip.decompress(answer.read())
    assert b"</html>" in page
    assert get(server, "/").headers["Content-Encoding"] is None


def test_no_page_allows_or_contains_inline_scripts_and_styles(server, orders):
    for path in ("/", "/embed/states-by-turnover/", "/login/", "/nowhere/"):
        page = get(server, path)
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?![^>]*\ssrc=)", page.body), path


def test_text_from_orders_is_escaped(server, orders):
    orders((1, 1, 1.0, "<script>alert(1)</script>"))
    for path in ("/", "/partials/rankings/", "/embed/states-by-turnover/"):
        page = get_until(lambda page: "alert(1)" in page.body, server, path)
        assert "<script>alert" not in page.body


def test_an_unknown_address_is_answered_by_the_404_page_without_a_traceback(server):
    page = get(server, "/nowhere/")
    assert page.status == 404
    assert "Traceback" not in page.body
    assert "Not found" in page.body


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/partials/rankings/",
        "/api/rankings/",
        "/api/rankings/states-by-turnover/",
        "/embed/states-by-turnover/",
        "/healthz/",
    ],
)
def test_only_safe_methods_are_allowed(server, path, method):
    # Without a token, the protection against CSRF refuses the request before the view does.
    token = "a" * 32
    answer = get(server, path, method, Cookie=f"csrftoken={token}", X_CSRFToken=token)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("query", ["?fbclid=IwAR0", "?utm_source=news", "?utm_term=x", "?%00=%ff"])
@pytest.mark.parametrize("path", ["/", "/embed/states-by-turnover/"])
def test_a_page_or_widget_with_parameters_that_it_does_not_know_is_served(server, path, query):
    page = get(server, path + query)
    assert page.status == 200
    for unknown in ("fbclid", "utm_", "utm_term=x", "%00"):
        assert unknown not in page.body, "links must not carry them on"


def test_the_login_does_not_carry_on_parameters_that_the_page_ignores(closed_server):
    page = get(closed_server, "/?utm_source=news")
    assert (page.status, page.headers["Location"]) == (302, "/login/?next=/")


# ---- polling


def shown_names(answer: Answer) -> list[str]:
    return re.findall(r'class="name"[^>]* title="([^"]*)"', answer.body)


def test_a_poll_gets_the_cards_and_then_304_until_something_changes(server, orders):
    orders((1, 1, 6.0, "Iowa"))
    path = "/partials/rankings/?rankings=states-by-turnover"
    # Rows of an earlier test may not be deleted yet; their deletion changes the tag.
    first = get_until(lambda answer: shown_names(answer) == ["Iowa"], server, path)
    tag = first.headers["HX-PTag"]
    again = get(server, path, HX_Request="true", HX_PTag=tag)
    assert (again.status, again.body) == (304, "")
    assert again.headers["HX-PTag"] == tag
    for answer in (first, again):
        assert faults("ping", {"type": "ping", **json.loads(answer.headers["Live-Ping"])}) == []
    assert again.headers["Checked-At"]
    orders((1, 2, 3.0, "Utah"))
    again = get_until(lambda answer: answer.status == 200, server, path, HX_Request="true", HX_PTag=tag)
    assert "Utah" in again.body
    assert "products-by-quantity" not in again.body


def test_a_polled_card_is_not_marked_for_an_out_of_band_swap(server, orders):
    assert "hx-swap-oob" not in get(server, "/partials/rankings/").body


# ---- JSON


def test_the_api_gives_every_ranking(server, orders):
    orders((1, 2, 3.5, "Ohio"))

    def has_come(answer: Answer) -> bool:
        return answer.status == 200 and [row["key"] for row in answer.json["rankings"][0]["rows"]] == ["Ohio"]

    answer = get_until(has_come, server, "/api/rankings/")
    assert [ranking["ranking"] for ranking in answer.json["rankings"]] == list(RANKINGS)
    assert answer.json["rankings"][0]["rows"] == [
        {
            "rank": 1,
            "key": "Ohio",
            "name": "Ohio",
            "value": 7.0,
            "display": "$7",
            "share": 100.0,
            "movement": None,
        }
    ]


def test_the_api_answers_304_to_the_etag_that_it_gave(server, orders):
    path = "/api/rankings/states-by-turnover/"
    # A row of an earlier test may not be deleted yet; its deletion changes the etag.
    first = get_until(lambda answer: answer.json.get("rows") == [], server, path)
    again = get(server, path, If_None_Match=first.headers["ETag"])
    assert (again.status, again.body) == (304, "")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Checked-At"]


def test_the_api_gives_the_requested_rankings_in_order(server, orders):
    answer = get(server, "/api/rankings/?rankings=products-by-quantity,states-by-turnover")
    assert [ranking["ranking"] for ranking in answer.json["rankings"]] == [
        "products-by-quantity",
        "states-by-turnover",
    ]


@pytest.mark.parametrize("path", ["/api/rankings/nonsense/", "/api/rankings/?rankings=nonsense"])
def test_an_unknown_ranking_is_404_and_lists_the_known_ones(server, path):
    answer = get(server, path)
    assert answer.status == 404
    assert "'nonsense'" in answer.json["error"]
    assert answer.json["rankings"] == list(RANKINGS)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/api/rankings/?rankings=", "rankings must not be empty."),
        ("/api/rankings/?top=3", "top must be one of 5, 10, 20, 50, not '3'."),
        ("/api/rankings/?window=2h", "window must be one of all, 15m, 1h, today, 7d, not '2h'."),
        ("/api/rankings/?language=tlh", "language must be one of en, de, not 'tlh'."),
        ("/api/rankings/?tops=3", "Unknown parameter 'tops'. Use only: rankings, window, top, language, at."),
        (
            "/api/rankings/states-by-turnover/?x=1",
            "Unknown parameter 'x'. Use only: window, top, language, at.",
        ),
        ("/partials/rankings/?rankings=,", "rankings must not be empty."),
    ],
)
def test_a_malformed_parameter_is_400_and_named(server, path, named):
    answer = get(server, path)
    assert answer.status == 400
    assert named in answer.json["error"]


def test_the_health_check_needs_no_login(server, closed_server):
    assert get(server, "/healthz/").json == {"status": "ok"}
    assert get(closed_server, "/healthz/").json == {"status": "ok"}


# ---- widgets


def test_only_a_widget_may_be_shown_in_an_iframe_and_only_by_this_site(server, orders):
    widget = get(server, "/embed/states-by-turnover/")
    assert widget.status == 200
    assert policy(widget)["frame-ancestors"] == "'self'"
    assert "X-Frame-Options" not in widget.headers
    for path in ("/", "/login/", "/nowhere/", "/api/rankings/"):
        page = get(server, path)
        assert policy(page)["frame-ancestors"] == "'none'", path
        assert page.headers["X-Frame-Options"] == "DENY", path


def test_a_widget_shows_only_its_ranking(server, orders):
    body = get(server, "/embed/products-by-quantity/?theme=dark").body
    assert 'data-theme="dark"' in body
    assert 'id="ranking-products-by-quantity"' in body
    assert 'id="ranking-states-by-turnover"' not in body


def test_a_widget_of_an_unknown_ranking_lists_the_known_ones(server):
    page = get(server, "/embed/nonsense/")
    assert page.status == 404
    assert "states-by-turnover" in page.body


def test_a_widget_names_an_unknown_theme_and_the_known_ones(server):
    page = get(server, "/embed/states-by-turnover/?theme=pink")
    assert page.status == 400
    assert "theme must be one of auto, light, dark, not &#x27;pink&#x27;." in page.body


def test_the_page_offers_an_iframe_to_copy_for_each_ranking(server, orders):
    body = get(server, "/").body
    for slug in RANKINGS:
        assert f"&lt;iframe src=&quot;{server.url}/embed/{slug}/" in body.replace('"', "&quot;")


# ---- who may see the rankings


def test_without_a_login_the_closed_dashboard_shows_no_rankings(closed_server, orders):
    page = get(closed_server, "/")
    assert (page.status, page.headers["Location"]) == (302, "/login/?next=/")
    for path in ("/api/rankings/", "/api/rankings/states-by-turnover/", "/partials/rankings/"):
        answer = get(closed_server, path)
        assert (answer.status, answer.json) == (401, {"error": "Log in first."})
    widget = get(closed_server, "/embed/states-by-turnover/")
    assert widget.status == 401
    assert "Log in" in widget.body
    assert policy(widget)["frame-ancestors"] == "'self'"


def test_with_a_login_the_closed_dashboard_shows_the_rankings(
    closed_server, orders, client, django_user_model
):
    client.force_login(django_user_model.objects.create_user("ann", password="a-good-password"))
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    # Its first read may take long on a busy machine.
    get_until(lambda answer: answer.status == 200, closed_server, "/api/rankings/", Cookie=cookie)
    page = get(closed_server, "/", Cookie=cookie)
    assert "Log out ann" in page.body


def test_users_log_in_and_out(client, django_user_model):
    django_user_model.objects.create_user("ann", password="a-good-password")
    wrong = client.post("/login/", {"username": "ann", "password": "wrong"})
    assert wrong.status_code == 200
    assert b"correct username and password" in wrong.content
    right = client.post("/login/", {"username": "ann", "password": "a-good-password"})
    assert (right.status_code, right.headers["Location"]) == (302, "/")
    assert client.post("/logout/").headers["Location"] == "/login/"


# ---- the admin


def test_orders_can_be_browsed_but_not_changed_in_the_admin(client, admin_user, orders):
    orders((7, 2, 3.5, "Ohio"), (7, 2, 3.5, "Ohio"))
    client.force_login(admin_user)
    listing = client.get("/admin/demo_shop/order/")
    assert listing.status_code == 200
    assert listing.content.count(b"Ohio") == 2
    from demo.shop.models import Order

    key = Order.objects.values_list("pk", flat=True)[0]
    detail = client.get(f"/admin/demo_shop/order/{key}/change/")
    assert detail.status_code == 200
    assert b'name="_save"' not in detail.content
    assert client.post(f"/admin/demo_shop/order/{key}/change/", {"qty": 1}).status_code == 403
    assert client.post(f"/admin/demo_shop/order/{key}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/demo_shop/order/add/").status_code == 403


def test_orders_can_be_searched_in_the_admin(client, admin_user, orders):
    orders((7, 2, 3.5, "Ohio"), (8, 2, 3.5, "Utah"))
    client.force_login(admin_user)
    found = client.get("/admin/demo_shop/order/?q=Utah")
    assert b"Utah" in found.content
    assert b"Ohio" not in found.content

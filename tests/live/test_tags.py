"""The template tags, in the templates of any project."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.template import Context, Engine, RequestContext, TemplateSyntaxError
from django.template.loader import render_to_string
from django.test import AsyncRequestFactory, RequestFactory
from django.utils import translation

from live import hub, rendering
from live.cards import Card
from live.rankings import RANKINGS
from live.snapshots import Snapshot
from live.windows import Window

FIRST, SECOND = "states-by-turnover", "products-by-quantity"
ONE, OTHER = '{% live_ranking "states-by-turnover" %}', '{% live_ranking "products-by-quantity" %}'
PAGE = "{% live_head %}" + ONE + OTHER + "{% live_scripts %}"


def render(text: str, request=None, **context) -> str:
    template = Engine.get_default().from_string("{% load live %}" + text)
    return template.render(RequestContext(request or RequestFactory().get("/page/?a=b"), context))


@pytest.fixture(autouse=True)
def static_files(settings):
    """Find static files without collectstatic."""
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": backend}}


@pytest.fixture
async def memory():
    """The process's only hub, which has read the first ranking."""
    the_hub = hub.get_hub()
    now = datetime.now(UTC)
    rows = (("Ohio", 6.0),)
    the_hub.snapshots[FIRST] = Snapshot(RANKINGS[FIRST], rows, changed_at=now, source="PostgreSQL")
    the_hub.checked_at[FIRST] = now
    return the_hub


async def test_a_ranking_in_memory_is_shown_at_once_and_another_has_a_placeholder(memory):
    html = render(PAGE)
    assert "Ohio" in html
    assert html.index('id="ranking-states-by-turnover"') < html.index('id="ranking-products-by-quantity"')
    assert html.count("Loading") == 1


async def test_a_ranking_in_memory_is_shown_by_a_synchronous_view_in_its_thread(memory):
    assert "Ohio" in await sync_to_async(render)(PAGE)


async def test_old_rows_are_shown_as_stale(memory):
    memory.checked_at[FIRST] -= timedelta(hours=1)
    assert "stale: no reading for 1 h" in render(PAGE)


async def test_all_rankings_of_a_page_share_one_socket_and_one_poll(memory):
    html = render(PAGE)
    assert re.findall(r'hx-ws:connect="([^"]*)"', html) == [
        f"/ws/rankings/?rankings={FIRST},{SECOND}&amp;language=en"
    ]
    assert re.findall(r'hx-get="([^"]*)"', html) == [
        f"/partials/rankings/?rankings={FIRST},{SECOND}&amp;language=en"
    ]
    assert len(re.findall(r"<script src", html)) == 5


async def test_numbers_for_browsers_are_not_localized(memory, settings):
    settings.LANGUAGE_CODE = "de"
    settings.LIVE_STALE_SECONDS = 2.5
    settings.LIVE_POLL_SECONDS = 1.25
    html = render(PAGE)
    assert '<rect x="0.0" width="100.0"' in html
    assert 'data-stale-after="2.5"' in html
    assert "every 1250ms" in html


def test_no_script_or_style_is_inline():
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?![^>]*\ssrc=)", render(PAGE))


def test_a_page_with_its_own_htmx_gets_no_second_one():
    html = render("{% live_head htmx=False %}" + ONE + "{% live_scripts htmx=False %}")
    assert "htmx.min.js" not in html
    assert "hx-ws.min.js" in html
    assert "htmx-config" not in html


def test_a_page_without_rankings_loads_nothing():
    assert render("{% live_scripts %}") == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{% live_ranking "nonsense" %}',
            "live_ranking: Unknown ranking 'nonsense'. Choose from: states-by-turnover, products-by-",
        ),
        ("{% live_ranking %}", "did not receive value"),
        (
            "{% live_scripts %}" + ONE,
            "live_ranking 'states-by-turnover' comes after live_scripts. Put live_scripts after all",
        ),
        (ONE + ONE, "live_ranking 'states-by-turnover' is on the page twice. Show each"),
    ],
)
def test_a_mistake_in_a_template_is_explained(text, message):
    with pytest.raises(TemplateSyntaxError, match=message):
        render(text)


def test_a_context_without_a_request_is_refused():
    template = Engine.get_default().from_string("{% load live %}" + ONE)
    with pytest.raises(TemplateSyntaxError, match="live_ranking needs the request"):
        template.render(Context())


# ---- the dashboard is closed


@pytest.fixture
def closed(settings):
    """As in a project that doesn't set LIVE_OPEN."""
    del settings.LIVE_OPEN


async def test_a_visitor_without_a_login_gets_a_link_to_it_and_neither_rows_nor_socket(memory, closed):
    request = RequestFactory().get("/page/?a=b")
    request.user = AnonymousUser()
    for visitor in (request, RequestFactory().get("/page/?a=b")):  # without AuthenticationMiddleware
        html = render(PAGE, visitor)
        assert "Ohio" not in html
        assert html.count('<a href="/login/?next=%2Fpage%2F%3Fa%3Db">Log in to see this ranking.</a>') == 2
        assert "hx-ws:connect" not in html
        assert "<script" not in html


async def test_a_user_who_is_logged_in_sees_the_rows(memory, closed):
    request = RequestFactory().get("/")
    request.user = User(username="ann")
    html = render(PAGE, request)
    assert "Ohio" in html
    assert "Log in" not in html


async def test_where_the_user_cannot_be_looked_up_the_browser_asks_for_the_rows(memory, closed, monkeypatch):
    from django.contrib.auth import get_user
    from django.contrib.sessions.backends.db import SessionStore
    from django.utils.functional import SimpleLazyObject

    monkeypatch.delenv("DJANGO_ALLOW_ASYNC_UNSAFE", raising=False)
    request = AsyncRequestFactory().get("/")
    request.session = SessionStore("a" * 32)
    request.user = SimpleLazyObject(lambda: get_user(request))  # type: ignore[assignment]
    html = render(PAGE, request, user=User(username="somebody the template shows"))
    assert "Ohio" not in html
    assert 'data-login-url="/login/?next=%2F"' in html
    assert "hx-ws:connect" in html


def test_a_card_is_rendered_once_for_all_pages_unless_something_is_wrong(monkeypatch):
    snapshot = Snapshot(RANKINGS[FIRST], (("Ohio", 6.0),), changed_at=datetime.now(UTC), source="PostgreSQL")
    rendered: list[str] = []

    def counting(template: str, context: object) -> str:
        rendered.append(template)
        return render_to_string(template, context)  # type: ignore[arg-type]

    monkeypatch.setattr(rendering, "render_to_string", counting)
    pages = {render("{% live_card card %}", card=Card(snapshot.ranking, snapshot, 5)) for _ in range(3)}
    assert rendered == ["live/card.html"]
    assert pages == {rendering.card(snapshot, 5, "en")}
    stale = Card(snapshot.ranking, snapshot, 5, state="stale", note="no reading for 3 min")
    assert "no reading for 3 min" in render("{% live_card card %}", card=stale)


def test_what_a_page_includes_once_is_rendered_again_only_for_other_values_and_languages(tmp_path):
    (tmp_path / "part.html").write_text("{% load i18n %}{% translate 'Settings' %}: {{ value }}")
    libraries = {"live": "live.templatetags.live", "i18n": "django.templatetags.i18n"}
    engine = Engine([tmp_path], libraries=libraries)
    page = engine.from_string("{% load live %}{% include_once 'part.html' value=value %}")
    written: list[str] = []

    class Value(str):
        __slots__ = ()

        def __str__(self) -> str:
            written.append(self)
            return self

    def render_page(value: str, language: str = "en") -> str:
        with translation.override(language):
            return page.render(Context({"value": Value(value), "csrf_token": "of one viewer"}))

    assert render_page("<a>") == render_page("<a>") == "Settings: &lt;a&gt;"
    assert render_page("<a>", "de") == "Einstellungen: &lt;a&gt;"
    assert render_page("b") == "Settings: b"
    assert render_page("<a>") == "Settings: &lt;a&gt;"
    assert written == ["<a>", "<a>", "b"]


@pytest.mark.parametrize("window", [Window.HOUR, Window.ALL])
def test_a_row_leads_to_the_page_of_its_key_in_the_window_of_its_card(window):
    ranking = RANKINGS[FIRST].within(window)
    snapshot = Snapshot(ranking, (("Ohio", 6.0),), changed_at=datetime.now(UTC), source="PostgreSQL")
    html = render_to_string("live/card.html", {"card": Card(ranking, snapshot, None)})
    [address] = re.findall(r'<a class="name" href="([^"]+)"', html)
    page = f"/rankings/{FIRST}/key/?key=%22Ohio%22"
    assert address == (page if window is Window.ALL else f"{page}&amp;window=1h")

"""A widget in pages of another site, of any colour: its corners, its height, its size, and its socket."""

from __future__ import annotations

import http.server
import threading
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import expect

from tests import processes
from tests.browser import STATES_CARD
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, FrameLocator, Page

    from tests.processes import Server

pytestmark = [BOTH, pytest.mark.browser]
#: The background of the other site's pages.
COLOUR = (200, 40, 90)
WIDGET = "/embed/states-by-turnover/"


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """Another site. Its page embeds the URL `src`, with `head` and `style`; `below` pushes it out of view."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            page = (
                f"<!doctype html><title>Host</title>{given.get('head', '')}"
                f"<style>body {{ margin: 0; background: rgb{COLOUR} }}"
                "iframe { display: block; border: 0; width: 300px; height: 330px }"
                f"{given.get('style', '')}</style>{given.get('before', '')}"
                f'<iframe src="{given.get("src", "")}" title="Widget"></iframe>'
            )
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_port}"
        site.shutdown()


@pytest.fixture(scope="module")
def widgets(
    site_environment: dict[str, str], host: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    listed = site_environment | {"LIVE_FRAME_ANCESTORS": host}
    with processes.daphne(listed, tmp_path_factory.mktemp("widgets") / "log") as running:
        yield running


@pytest.fixture
def shown(orders: Callable[..., None]) -> None:
    names = ("California", "New York", "North Carolina", "A state with a name that is long", "Ohio", "Utah")
    orders(*((1, 10_000 - place, 50.0, name) for place, name in enumerate(names)))


def visit(page: Page, host: str, **given: str) -> FrameLocator:
    page.goto(f"{host}/?{urlencode(given)}")
    return page.frame_locator("iframe")


def colour_at(page: Page, x: int, y: int) -> tuple[int, ...]:
    """Return red, green and blue of a pixel."""
    png = page.screenshot(clip={"x": x, "y": y, "width": 1, "height": 1})
    place, data = 8, b""
    while place < len(png):
        length = int.from_bytes(png[place : place + 4], "big")
        if png[place + 4 : place + 8] == b"IDAT":
            data += png[place + 8 : place + 8 + length]
        place += 12 + length
    return tuple(zlib.decompress(data)[1:4])


def background(frame: FrameLocator, selector: str) -> str:
    colour: str = frame.locator(selector).evaluate("element => getComputedStyle(element).backgroundColor")
    return colour


@pytest.mark.parametrize("scheme", ["light", "dark", "null"])
def test_the_corners_show_the_page_around_the_widget_and_its_theme_is_obeyed(
    browser: Browser, host: str, widgets: Server, shown: None, scheme: Any
) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    white: list[Any] = []
    dark: list[Any] = []
    for theme in ("light", "dark", "auto"):
        for slug, is_refused in (("states-by-turnover", False), ("nonsense", True)):
            frame = visit(page, host, src=f"{widgets.url}/embed/{slug}/?theme={theme}")
            expect(frame.locator(".live-card")).to_be_visible()
            assert is_refused == (frame.locator("#badge").count() == 0)
            assert colour_at(page, 1, 1) == COLOUR, (theme, slug)
            (dark if theme == "dark" else white).append(background(frame, ".live-card"))
            if theme == "auto":
                assert white.pop() == (dark if scheme == "dark" else white)[0]
    assert len(set(white)) == len(set(dark)) == 1
    assert white[0] != dark[0]
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_dark_page_with_the_script_has_transparent_corners_too(
    browser: Browser, host: str, widgets: Server, shown: None, scheme: Any
) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    for style in (":root { color-scheme: dark }", ":root { color-scheme: light dark }"):
        script = f'<script src="{widgets.url}/embed.js" async></script>'
        frame = visit(page, host, src=widgets.url + WIDGET, style=style, head=script)
        expect(frame.locator(STATES_CARD)).to_be_visible()
        page.wait_for_function("document.querySelector('iframe').style.height")
        is_dark = "light" not in style or scheme == "dark"
        expect(frame.locator("html")).to_have_css("color-scheme", "dark" if is_dark else "light")
        assert colour_at(page, 1, 1) == COLOUR
    context.close()


def test_a_page_whose_iframe_prefers_its_own_scheme_needs_no_script(
    browser: Browser, host: str, widgets: Server, shown: None
) -> None:
    """As browsers do that follow the specification; "null" lets Chromium do it, which Playwright prevents."""
    context = browser.new_context(color_scheme="null")
    page = context.new_page()
    frame = visit(page, host, src=widgets.url + WIDGET, style=":root { color-scheme: dark }")
    expect(frame.locator(STATES_CARD)).to_be_visible()
    assert colour_at(page, 1, 1) == COLOUR
    context.close()


def test_an_iframe_of_300_by_330_pixels_shows_five_rows_and_cuts_nothing_off(
    page: Page, host: str, widgets: Server, shown: None
) -> None:
    frame = visit(page, host, src=widgets.url + WIDGET)
    rows = frame.locator(".live-row")
    expect(rows).to_have_count(5)
    expect(frame.locator("#badge")).to_have_attribute("data-state", "live")
    root = frame.locator("html")
    assert root.evaluate("root => [root.scrollWidth, root.scrollHeight <= 330]") == [300, True]
    cut = """rows => rows.flatMap(row => [...row.children]).map(part => part.getBoundingClientRect())
      .filter(({ left, right, bottom }) => left < 0 || right > 300 || bottom > 330)"""
    assert rows.evaluate_all(cut) == []
    names = """rows => rows.map(row => row.querySelector(".name"))
      .filter(name => name.scrollWidth > name.clientWidth || name.scrollHeight > name.clientHeight)"""
    assert rows.evaluate_all(names) == []


def test_a_wide_widget_fills_its_iframe_with_the_badge_on_the_card(
    page: Page, widgets: Server, shown: None
) -> None:
    page.set_viewport_size({"width": 1400, "height": 500})
    page.goto(widgets.url + WIDGET)
    expect(page.locator("#badge")).to_have_attribute("data-state", "live")
    card, badge = page.locator(".live-card").bounding_box(), page.locator("#badge").bounding_box()
    assert card
    assert badge
    assert card["width"] == 1400
    assert badge["y"] + badge["height"] <= card["y"] + card["height"]


def test_the_script_gives_the_iframe_its_height_and_obeys_no_other_frame(
    page: Page, host: str, widgets: Server, shown: None
) -> None:
    script = f'<script src="{widgets.url}/embed.js"></script>'
    frame = visit(page, host, src=f"{widgets.url}{WIDGET}?top=10", head=script)
    expect(frame.locator(".live-row")).to_have_count(6)
    page.wait_for_function("document.querySelector('iframe').style.height")
    height = frame.locator("main").evaluate("main => `${Math.ceil(main.getBoundingClientRect().height)}px`")
    page.wait_for_function("height => document.querySelector('iframe').style.height === height", arg=height)
    page.evaluate("""() => new Promise(resolve => {
      const other = document.createElement("iframe");
      other.srcdoc = "<script>parent.postMessage({ type: 'live-height', height: 7 }, '*')<" + "/script>";
      addEventListener("message", () => setTimeout(resolve), { once: true });
      document.body.append(other);
    })""")
    heights = page.evaluate("[...document.querySelectorAll('iframe')].map(frame => frame.style.height)")
    assert heights == [height, ""]


def test_a_widget_that_is_back_in_view_knows_it_whatever_a_busy_browser_has_told_before(
    page: Page, host: str, widgets: Server
) -> None:
    page.add_init_script("""
      window.IntersectionObserver = class {
        constructor(tell) { window.tell = tell; }
        observe() {}
      };
    """)
    root = visit(page, host, src=widgets.url + WIDGET).locator("html")
    expect(root.locator(".live-card")).to_be_visible()
    hidden = """(root, views) => {
      tell(views.map((isIntersecting) => ({ isIntersecting })));
      return document.hidden;
    }"""
    assert root.evaluate(hidden, [True, False])
    assert not root.evaluate(hidden, [False, True])


def test_a_widget_has_one_socket_and_only_while_it_is_in_view(
    page: Page, host: str, widgets: Server, shown: None
) -> None:
    sockets: list[Any] = []
    page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright marks it
    frame = visit(page, host, src=widgets.url + WIDGET, style="body { padding-bottom: 5000px }")
    badge = frame.locator("#badge")
    expect(badge).to_have_attribute("data-state", "live")
    badge.evaluate("""badge => {
      window.states = [];
      new MutationObserver(() => states.push(badge.dataset.state)).observe(badge, { attributes: true });
      document.querySelector("#live-updates").dataset.watched = "";
    }""")
    assert len(sockets) == 1
    with sockets[0].expect_event("close"):
        page.evaluate("scrollTo(0, 4000)")
    expect(badge).not_to_have_attribute("data-state", "live")
    badge.evaluate("window.states.length = 0")
    page.evaluate("scrollTo(0, 0)")
    expect(badge).to_have_attribute("data-state", "live")
    assert len(sockets) == 2
    assert not sockets[1].is_closed()
    assert set(badge.evaluate("window.states")) <= {"refreshing", "polling", "live"}

"""The style sheets share one palette, and a ranking changes nothing else in another project's page."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from tests.processes import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

LIVE = ROOT / "live" / "static" / "live"
SHEETS = [
    *(LIVE / f"{name}.css" for name in ("ranking", "live", "declare", "message")),
    ROOT / "static" / "site" / "login.css",
]
#: The rest of a page. It has elements and classes that a ranking has too.
ELSEWHERE = """
<h1>Title</h1><h2 class="head">Second</h2><div class="scope">Text <b class="move up">▲</b></div>
<p class="foot">Text <span class="name">A</span> <time>now</time></p>
<ol class="live-rows"><li class="live-row"><span class="rank">1</span><span class="value">2</span></li></ol>
<svg class="bar" viewBox="0 0 1 1"><rect width="1" height="1"/></svg><button class="badge">Press</button>
<article class="card"><p class="live-placeholder">Text</p><input><textarea></textarea></article>
"""
#: Returns the computed style of each element, with some custom properties.
STYLES = """() => [...document.querySelectorAll('html, body, body *')].map(element =>
  [element.tagName, ...[...getComputedStyle(element)].map(name => getComputedStyle(element)[name]),
   ...['--ink', '--card', '--data'].map(name => getComputedStyle(element).getPropertyValue(name))].join())"""


@pytest.mark.browser
def test_the_styles_of_a_ranking_leave_the_rest_of_a_page_as_it_is(page: Page):
    page.set_content(f"<style>:root {{ --ink: red }}</style><body>{ELSEWHERE}</body>")
    before = page.evaluate(STYLES)
    page.add_style_tag(path=LIVE / "ranking.css")
    assert page.evaluate(STYLES) == before
    page.evaluate("document.querySelector('article').className = 'live-card'")
    assert page.evaluate(STYLES) != before


def test_the_styles_have_no_rule_for_what_is_on_no_page():
    """Django writes the class of lists of errors."""
    styles = "".join(re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL) for sheet in SHEETS)
    names = {
        name
        for rule in re.findall(r"([^{}]+){", styles)
        for name in re.findall(r"[.#]([a-zA-Z][\w-]*)", rule)
    }
    used = "".join(
        path.read_text()
        for folder in (ROOT / "live", ROOT / "templates")
        for path in folder.rglob("*")
        if path.suffix in (".html", ".js") and "vendor" not in path.parts
    )
    lines = {f"line-{number}" for number in range(1, 6)}
    assert {name for name in names if not re.search(rf"\b{name}\b", used)} == {"errorlist", *lines}


def test_each_colour_is_defined_once():
    texts = {sheet.name: sheet.read_text() for sheet in SHEETS}
    defined = re.findall(r"(--[\w-]+): light-dark", "".join(texts.values()))
    assert len(defined) == len(set(defined))
    used = set(chain.from_iterable(re.findall(r"var\((--[\w-]+)\)", text) for text in texts.values()))
    # --series is one of the lines' colours; the others are numbers.
    assert used == {*defined, "--series", "--columns", "--stack", "--lines"}
    for name, text in texts.items():
        elsewhere = re.sub(r"--[\w-]+: light-dark.*", "", text)
        assert not re.search(r"#[0-9a-f]{3,8}\b|rgb", elsewhere), name


def test_browsers_get_the_colour_of_the_paper():
    """In the bar of a phone's browser, which knows no style sheet."""
    paper = re.search(r"--paper: light-dark\((#\w+), (#\w+)\)", SHEETS[0].read_text())
    base = (ROOT / "live/templates/live/base.html").read_text()
    told = re.findall(r'<meta name="theme-color" content="(#\w+)"', base)
    assert paper
    assert tuple(told) == paper.groups()


@pytest.mark.parametrize("name", ["--good", "--poll", "--busy", "--bad", "--muted", "--up", "--down"])
@pytest.mark.parametrize("theme", [0, 1])
def test_the_colours_of_the_states_can_be_read(name, theme):
    """At least 4.5 to 1, which WCAG 2.2 asks of text: https://www.w3.org/TR/WCAG22/#contrast-minimum"""
    colours = dict(re.findall(r"(--[\w-]+): light-dark\((#\w+, #\w+)\)", SHEETS[0].read_text()))

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    text, card = (luminance(colours[of].split(", ")[theme]) for of in (name, "--card"))
    assert (max(text, card) + 0.05) / (min(text, card) + 0.05) >= 4.5

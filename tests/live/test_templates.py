"""The pages of `live` need no other app, and a project can override their blocks."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.test import AsyncRequestFactory, RequestFactory
from django.urls import include, path

from live import pages, views
from live.cards import Card
from live.embedding import iframe
from live.parameters import Selection
from live.rankings import RANKINGS
from live.snapshots import Snapshot
from live.windows import Window
from tests.live.test_tags import static_files  # noqa: F401
from tests.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATES = ROOT / "live" / "templates"
#: The URLs of a project with no other app than `live`.
urlpatterns = [path("", include("live.urls"))]
#: The blocks that docs/integrating.md lists.
BLOCKS = [
    "title",
    "description",
    "icon",
    "styles",
    "head",
    "body",
    "heading",
    "embed_codes",
    "navigation",
    "account",
]


@pytest.fixture
def dashboard(settings, tmp_path):
    """Render the dashboard, with an override in the project's own templates if there is one."""
    settings.TEMPLATES = [settings.TEMPLATES[0] | {"DIRS": [tmp_path]}]

    def render(override: str = "") -> str:
        if override:
            (tmp_path / "live").mkdir()
            (tmp_path / "live" / "dashboard.html").write_text(
                '{% extends "live/dashboard.html" %}' + override
            )
        return render_to_string("live/dashboard.html", context(), RequestFactory().get("/"))

    return render


def context() -> dict[str, Any]:
    ranking = RANKINGS["states-by-turnover"]
    now = datetime.now(UTC)
    snapshot = Snapshot(ranking, (("Ohio", 6.0),), changed_at=now, source="PostgreSQL")
    return pages.updates(Selection([ranking], Window.ALL, None, "en"), login_url="/login/") | {
        "cards": [Card(ranking, snapshot)],
        "snippets": [(ranking, iframe(ranking, "https://example.com/embed/states-by-turnover/"))],
        "user": AnonymousUser(),
    }


@pytest.mark.parametrize("block", BLOCKS)
def test_a_project_can_override_each_block_of_the_page(dashboard, block):
    page = dashboard(f"{{% block {block} %}}{{{{ block.super }}}}<i>our own</i>{{% endblock %}}")
    assert page.count("<i>our own</i>") == 1
    assert "Ohio" in page


def test_the_documentation_lists_the_blocks():
    documented = (ROOT / "docs" / "integrating.md").read_text().partition("## Your site around the page")[2]
    assert re.findall(r"^\| `(\w+)` \|", documented, re.MULTILINE) == BLOCKS


def test_the_page_is_rendered_in_a_project_without_other_urls(dashboard, settings):
    settings.ROOT_URLCONF = "tests.live.test_templates"
    page = dashboard()
    assert "JSON</a>" in page
    assert "Ohio" in page


async def test_a_project_without_rankings_gets_a_page_that_says_so(monkeypatch):
    monkeypatch.setattr("live.views.RANKINGS", {})
    page = await views.dashboard(AsyncRequestFactory().get("/"))
    assert isinstance(page, HttpResponse)
    assert page.status_code == 200
    assert "This board is still empty" in page.text
    assert "declares rankings in the module <code>rankings</code> of an installed app" in page.text


@pytest.mark.parametrize("template", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_a_template_of_live_uses_only_templates_and_files_of_live(template: Path):
    used = re.findall(r"{% (?:extends|include|include_once|static) ['\"]([^'\"]+)", template.read_text())
    assert [name for name in used if not name.startswith("live/")] == []


def test_a_title_cannot_break_out_of_the_html_that_is_copied_into_other_sites():
    ranking = replace(RANKINGS["states-by-turnover"], title='"><script>alert(1)</script>')
    code = iframe(ranking, "https://example.com/embed/x/?a=1&b=2")
    assert "<script" not in code
    assert 'src="https://example.com/embed/x/?a=1&amp;b=2"' in code
    # Escaped once more, so that what is copied out of the page is this code.
    page = render_to_string("live/origin.html", {"copies": [{"id": "a", "label": "b", "text": code}]})
    assert "&amp;lt;script" in page

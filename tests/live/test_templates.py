"""The pages of `live` stand by themselves, and a project may override their blocks."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.urls import include, path

from live import pages
from live.rankings import RANKINGS
from live.snapshots import Snapshot
from tests.live.test_tags import static_files  # noqa: F401
from tests.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATES = ROOT / "live" / "templates"
#: The addresses of a project that has nothing but `live`.
urlpatterns = [path("", include("live.urls"))]
#: As docs/integrating.md lists them.
BLOCKS = ["title", "icon", "styles", "head", "body", "heading", "embed_codes", "navigation", "account"]


@pytest.fixture
def dashboard(settings, tmp_path):
    """Renders the dashboard with the text of an override in the project's own templates, if any."""
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
    return pages.updates([ranking]) | {
        "snapshots": [snapshot],
        "snippets": [(ranking, "https://example.com/embed/states-by-turnover/")],
        "user": AnonymousUser(),
        "login_page": "/login/",
    }


@pytest.mark.parametrize("block", BLOCKS)
def test_a_project_may_override_a_block_of_the_page(dashboard, block):
    page = dashboard(f"{{% block {block} %}}{{{{ block.super }}}}<i>our own</i>{{% endblock %}}")
    assert page.count("<i>our own</i>") == 1
    assert "Ohio" in page


def test_the_documented_blocks_are_the_ones_that_a_project_may_override():
    documented = (ROOT / "docs" / "integrating.md").read_text().partition("## Your site around the page")[2]
    assert re.findall(r"^\| `(\w+)` \|", documented, re.MULTILINE) == BLOCKS


def test_the_page_is_served_where_no_other_app_has_addresses(dashboard, settings):
    settings.ROOT_URLCONF = "tests.live.test_templates"
    page = dashboard()
    assert "JSON</a>" in page
    assert "Ohio" in page


@pytest.mark.parametrize("template", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_a_template_uses_no_template_and_no_file_from_outside_live(template: Path):
    used = re.findall(r"{% (?:extends|include|static) ['\"]([^'\"]+)", template.read_text())
    assert [name for name in used if not name.startswith("live/")] == []

"""What viewers see while the database of the rankings is down: a stand-in of its own, which tests stop."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests import processes
from tests.live.test_views import get, get_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.processes import Server
    from tests.standins import StandIn

STATES_PATH = "/api/rankings/states-by-turnover/"


@pytest.fixture
def site(own_standin: StandIn, site_environment: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    # Rows are stale soon, so that nobody has to wait for it.
    soon = processes.changed(
        LIVE_STALE_SECONDS=4,
        LIVE_SERVER_CHECK_SECONDS=2,
        LIVE_PING_SECONDS=2,
        LIVE_QUERY_TIMEOUT_SECONDS=1,
    )
    environment = site_environment | own_standin.environment | soon
    with processes.daphne(environment, tmp_path / "log") as running:
        yield running


def test_the_last_rows_stay_until_the_database_is_back(own_standin, site):
    own_standin.insert("Ohio")
    before = get_until(lambda answer: "Ohio" in answer.body, site, STATES_PATH)
    own_standin.stop()
    get_until(lambda _: "can't be read" in site.log.read_text(), site, STATES_PATH)
    during = get(site, STATES_PATH)
    assert (during.status, during.body) == (200, before.body)
    assert during.headers["Checked-At"] >= before.headers["Checked-At"]
    assert get(site, "/").status == 200
    own_standin.start()
    own_standin.insert("Utah")
    get_until(lambda answer: "Utah" in answer.body, site, STATES_PATH)
    get_until(lambda _: "can be read again" in site.log.read_text(), site, STATES_PATH)
    log = site.log.read_text()
    assert log.count("can't be read") == log.count("can be read again") == 1
    assert "Traceback" not in log


def test_requests_before_the_first_read_are_told_to_retry(own_standin, site):
    own_standin.insert("Ohio")
    own_standin.stop()
    for path in ("/", "/embed/states-by-turnover/", STATES_PATH, "/partials/rankings/"):
        answer = get(site, path)
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "5"
        assert "can't be read right now" in answer.body.replace("&#x27;", "'")
        assert "socket" not in answer.body, "the address of the database is private"
    own_standin.start()
    get_until(lambda answer: answer.status == 200, site, STATES_PATH)


def test_a_database_that_hangs_delays_no_page(own_standin, site):
    own_standin.insert("Ohio")
    get_until(lambda answer: "Ohio" in answer.body, site, STATES_PATH)
    with own_standin.frozen():
        for _ in range(5):
            assert "Ohio" in get(site, "/").body
        # It enforces no timeout itself.
        get_until(lambda _: "rankings: can't be read (no answer" in site.log.read_text(), site, STATES_PATH)
        assert "Ohio" in get(site, "/").body
    own_standin.insert("Iowa")
    get_until(lambda answer: "Iowa" in answer.body, site, STATES_PATH)
    get_until(lambda _: "can be read again" in site.log.read_text(), site, STATES_PATH)
    log = site.log.read_text()
    assert log.count("can't be read") == log.count("can be read again") == 1
    assert "Traceback" not in log


@pytest.mark.browser
def test_a_page_shows_how_stale_it_is_and_recovers_without_a_reload(own_standin, site, page: Page):
    own_standin.insert("Ohio")
    page.goto(site.url)
    card = page.locator("#ranking-states-by-turnover")
    expect(card).to_contain_text("Ohio")
    page.evaluate("window.mark = 'not reloaded'")
    own_standin.stop()
    # Rows are stale after 4 s. A busy machine may skip a second.
    expect(card.locator(".stale")).to_contain_text(
        re.compile(r"stale: last read ([5-9]|[1-5]\d) s ago"), timeout=60_000
    )
    expect(card).to_contain_text("Ohio")
    own_standin.start()
    own_standin.insert("Guam")
    expect(card).to_contain_text("Guam")
    expect(card.locator(".stale")).to_be_hidden()
    assert page.evaluate("window.mark") == "not reloaded"

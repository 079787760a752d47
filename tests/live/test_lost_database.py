"""What viewers see while the database of the rankings is down: a stand-in of its own, which tests stop."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests import processes
from tests.browser import STATES_CARD, badge, shows
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
@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_a_page_is_stale_while_the_database_is_lost_and_recovers_by_itself(
    own_standin, site, page: Page, how
):
    own_standin.insert("Ohio")
    page.goto(site.url)
    card = page.locator(STATES_CARD)
    shows(page, "Ohio")
    badge(page, "live")
    page.evaluate("window.mark = 'not reloaded'")
    with own_standin.frozen() if how == "frozen" else own_standin.stopped():
        badge(page, "stale")
        expect(page.locator("#badge-detail")).to_have_text(
            re.compile(r"no reading for \d+ s: PostgreSQL doesn’t answer")
        )
        expect(card.locator(".as-of")).to_have_text(re.compile(r"as of \d\d:\d\d:\d\d"))
        expect(page.locator("time:visible")).to_have_count(0)
        shows(page, "Ohio")
        opened = page.context.new_page()
        opened.goto(site.url)
        badge(opened, "stale")
        shows(opened, "Ohio")
        opened.close()
    own_standin.insert("Guam")
    shows(page, "Guam")
    badge(page, "live")
    expect(card.locator(".as-of")).to_be_hidden()
    assert page.evaluate("window.mark") == "not reloaded"

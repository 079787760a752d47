"""What viewers see while the database of the rankings is down: a stand-in of its own, which tests stop."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import psutil
import psycopg2
import pytest
from playwright.sync_api import expect

from demo import postgres
from tests import processes
from tests.live.test_views import get, get_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.processes import Server

STATES_PATH = "/api/rankings/states-by-turnover/"


class StandIn:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()
        self.environment = {
            "DATABASE_URL": postgres.url("dashboard", folder),
            "RISINGWAVE_URL": postgres.url("risingwave", folder),
        }

    def start(self) -> None:
        self.server = postgres.start(self.folder)

    def stop(self) -> None:
        self.server.stop()

    def insert(self, state: str) -> None:
        with closing(psycopg2.connect(self.server.get_uri("risingwave"))) as connection, connection:
            connection.cursor().execute("INSERT INTO orders (qty, price, state) VALUES (2, 3, %s)", [state])

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the server accept connections and answer nothing."""
        postmaster = psutil.Process(self.server.get_pid())
        stopped = [*postmaster.children(recursive=True), postmaster]
        for process in stopped:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in stopped:
                process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def rankings_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    server = StandIn(tmp_path_factory.mktemp("outage") / "postgres")
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | server.environment
    for database in ("default", "risingwave"):
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0", "--database", database]
        subprocess.run(command, cwd=processes.ROOT, env=environment, check=True)
    yield server
    server.stop()


@pytest.fixture
def site(rankings_server: StandIn, site_environment: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    # Rows are stale soon, so that nobody has to wait for it.
    soon = processes.changed(LIVE_STALE_SECONDS=4, LIVE_SERVER_CHECK_SECONDS=2, LIVE_PING_SECONDS=2)
    environment = site_environment | rankings_server.environment | soon
    with processes.daphne(environment, tmp_path / "log") as running:
        yield running


def test_the_last_rows_stay_until_the_database_is_back(rankings_server, site):
    rankings_server.insert("Ohio")
    before = get_until(lambda answer: "Ohio" in answer.body, site, STATES_PATH)
    rankings_server.stop()
    get_until(lambda _: "can't be read" in site.log.read_text(), site, STATES_PATH)
    during = get(site, STATES_PATH)
    assert (during.status, during.body) == (200, before.body)
    assert during.headers["Checked-At"] >= before.headers["Checked-At"]
    assert get(site, "/").status == 200
    rankings_server.start()
    rankings_server.insert("Utah")
    get_until(lambda answer: "Utah" in answer.body, site, STATES_PATH)
    log = site.log.read_text()
    assert log.count("can't be read") == log.count("can be read again") == 1
    assert "Traceback" not in log


def test_requests_before_the_first_read_are_told_to_retry(rankings_server, site):
    rankings_server.insert("Ohio")
    rankings_server.stop()
    for path in ("/", "/embed/states-by-turnover/", STATES_PATH, "/partials/rankings/"):
        answer = get(site, path)
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "5"
        assert "can't be read right now" in answer.body.replace("&#x27;", "'")
        assert "socket" not in answer.body, "the address of the database is private"
    rankings_server.start()
    get_until(lambda answer: answer.status == 200, site, STATES_PATH)


def test_a_database_that_hangs_delays_no_page(rankings_server, site):
    rankings_server.insert("Ohio")
    get_until(lambda answer: "Ohio" in answer.body, site, STATES_PATH)
    with rankings_server.frozen():
        for _ in range(5):
            assert "Ohio" in get(site, "/").body
    rankings_server.insert("Iowa")
    get_until(lambda answer: "Iowa" in answer.body, site, STATES_PATH)


@pytest.mark.browser
def test_a_page_shows_how_stale_it_is_and_recovers_without_a_reload(rankings_server, site, page: Page):
    rankings_server.insert("Ohio")
    page.goto(site.url)
    card = page.locator("#ranking-states-by-turnover")
    expect(card).to_contain_text("Ohio")
    page.evaluate("window.mark = 'not reloaded'")
    rankings_server.stop()
    # Rows are stale after 4 s. A busy machine may skip a second.
    expect(card.locator(".stale")).to_contain_text(
        re.compile(r"stale: last read ([5-9]|[1-5]\d) s ago"), timeout=60_000
    )
    expect(card).to_contain_text("Ohio")
    rankings_server.start()
    rankings_server.insert("Guam")
    expect(card).to_contain_text("Guam")
    expect(card.locator(".stale")).to_be_hidden()
    assert page.evaluate("window.mark") == "not reloaded"

"""What /livez, /readyz and /metrics answer, and to whom."""

from __future__ import annotations

import asyncio
import errno
import gc
import json
import os
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.utils import ConnectionHandler
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as families

from live import capacity, metrics
from live.capacity import Files
from live.faults import Fault
from live.history import clock as history_clock
from live.hub import Hub, get_hub
from live.middleware import OperatorMiddleware
from live.operators import collector
from live.operators import pages as operator_pages
from live.outages import Outage
from tests.live.hubs import STATES
from tests.processes import ROOT

pytestmark = pytest.mark.django_db(databases=[])  # none: these pages must not need a database
PAGE = (ROOT / "docs" / "operating.md").read_text()


def new_hub() -> Hub:
    async def made() -> Hub:
        return Hub()

    return asyncio.run(made())


def ask(path: str, method: str = "GET", **extra: Any) -> HttpResponse:
    """Return the answer of the middleware alone; anything else is an error."""

    def view(request: object) -> HttpResponse:
        raise AssertionError(f"{path} was passed on")

    answer = OperatorMiddleware(view)(RequestFactory().generic(method, path, **extra))
    assert isinstance(answer, HttpResponse)
    return answer


# Who may ask ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", operator_pages.PAGES)
def test_an_operator_gets_an_answer_by_ip_over_plain_http_and_without_a_database(path):
    # WhiteNoise warns where no static files are collected.
    middleware = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    with override_settings(
        ALLOWED_HOSTS=["live.example.com"],
        SECURE_SSL_REDIRECT=True,
        MIDDLEWARE=middleware,
        LIVE_OPERATORS=["10.0.0.0/8"],
    ):
        answer = Client().get(path, HTTP_HOST="10.1.2.3:8000", REMOTE_ADDR="10.1.2.3")
        assert answer.status_code == 200


@pytest.mark.parametrize("path", operator_pages.PAGES)
def test_others_are_told_that_there_is_no_such_page(path):
    assert ask(path, REMOTE_ADDR="198.51.100.1").status_code == 404
    assert ask(path, REMOTE_ADDR="").status_code == 404
    with override_settings(LIVE_OPERATORS=["198.51.100.0/24"]):
        assert ask(path, REMOTE_ADDR="198.51.100.1").status_code == 200
        assert ask(path, REMOTE_ADDR="127.0.0.1").status_code == 404


@pytest.mark.parametrize("trusted", [[], ["127.0.0.1"]])
@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_X_FORWARDED_FOR": "198.51.100.1"},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1, 198.51.100.1"},
        {"HTTP_X_FORWARDED_FOR": "not an address"},
        {"HTTP_X_REAL_IP": "198.51.100.1"},
        {"HTTP_FORWARDED": "for=198.51.100.1"},
        # Sent by the outsider, through a proxy that hands it on as it is.
        {"HTTP_X_FORWARDED_FOR": "127.0.0.2"},
        # Sent by proxies that don't say from where a request comes.
        {"HTTP_VIA": "1.1 proxy"},
        {"HTTP_X_FORWARDED_PROTO": "https"},
        {"HTTP_X_FORWARDED_HOST": "live.example.com"},
        {"HTTP_HOST": "live.example.com"},
        {"HTTP_HOST": "10.1.2.3:8000"},
    ],
)
def test_an_outsider_behind_a_proxy_on_this_machine_is_an_outsider(trusted, headers):
    with override_settings(LIVE_TRUSTED_PROXIES=trusted):
        assert ask("/metrics", REMOTE_ADDR="127.0.0.1", **headers).status_code == 404


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]", None]
)
def test_an_operator_on_this_machine_names_it_or_nothing(host):
    headers = {} if host is None else {"HTTP_HOST": host}
    assert ask("/metrics", **headers).status_code == 200
    assert ask("/metrics", REMOTE_ADDR="::1", **headers).status_code == 200


@override_settings(LIVE_TRUSTED_PROXIES=["127.0.0.1"], LIVE_OPERATORS=["10.0.0.0/8"])
def test_an_operator_behind_a_trusted_proxy_is_an_operator():
    assert ask("/metrics", HTTP_X_FORWARDED_FOR="10.1.2.3").status_code == 200


def test_only_questions_are_answered():
    assert ask("/readyz", "POST").status_code == 405
    assert ask("/readyz", "HEAD").status_code == 200


def test_other_pages_are_passed_on():
    page = HttpResponse("a page")
    passed_on = OperatorMiddleware(lambda _: page)
    for path in ("/", "/livez/", "/metricsx", "/a/metrics"):
        assert passed_on(RequestFactory().get(path)) is page


# /readyz -------------------------------------------------------------------------------------------------


@pytest.fixture
def readyz(monkeypatch):
    """Ask /readyz of a process whose hub is in this state; return the status and the body."""

    def ask_about(query: str = "", **state: Any) -> tuple[int, dict[str, Any]]:
        now = datetime.now(UTC)
        hub = new_hub()
        usual = hub.health() | {
            "feed": "running",
            "feed_since": now,
            "tick_age_seconds": 0.5,
            "checked_at": {"a": now},
        }
        monkeypatch.setattr(hub, "health", lambda: {**usual, **state})
        monkeypatch.setattr(get_hub, "items", lambda: [(None, hub)])
        response = ask(f"/readyz{query}")
        return response.status_code, json.loads(response.content)

    return ask_about


def test_a_process_that_nobody_has_used_is_ready_and_asking_starts_nothing():
    get_hub.clear()
    response = ask("/readyz")
    body = json.loads(response.content)
    assert response.status_code == 200
    assert body["parts"]["feed"] == {"status": "idle", "reason": "nobody is watching"}
    assert set(body["parts"]) == {"lifecycle", "feed", "clock", "files", "rankings", "users"}
    assert get_hub.items() == []


def test_a_process_that_works_is_ready(readyz):
    status, body = readyz()
    assert status == 200
    assert {part["status"] for part in body["parts"].values()} == {"ok"}
    assert body["status"] == "ok"


OLD = datetime.now(UTC) - timedelta(minutes=5)
FAULT = Fault("its view doesn't exist", OLD)


@pytest.mark.parametrize(
    ("part", "state", "reason"),
    [
        ("feed", {"feed": "dead"}, "the feed is dead"),
        ("feed", {"feed": "hung"}, "the feed is hung"),
        ("clock", {"tick_age_seconds": 61.0}, "no tick for 61 s"),
        ("lifecycle", {"is_ending": True}, "the process is ending"),
        ("lifecycle", {"checked_at": {}}, "the process is starting: no ranking has been read yet"),
    ],
)
def test_a_process_that_another_one_can_stand_in_for_is_not_ready(readyz, part, state, reason):
    status, body = readyz(**state)
    assert status == 503
    assert body["status"] == "failed"
    assert body["parts"][part] == {"status": "failed", "reason": reason}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"faults": {"a": FAULT}}, "a: its view doesn't exist"),
        ({"checked_at": {"a": OLD}}, f"a: last read at {OLD:%H:%M:%S} UTC"),
        # A first read that takes long isn't a start any more.
        ({"checked_at": {}, "faults": {"a": FAULT}, "feed_since": OLD}, "a: its view doesn't exist"),
    ],
    ids=["fault", "stale", "slow-first-read"],  # a time in them would differ between the workers of a run
)
def test_a_process_whose_rankings_are_stale_is_ready_unless_asked_strictly(readyz, state, reason):
    status, body = readyz(**state)
    assert status == 200
    assert body["status"] == "degraded"
    assert body["parts"]["rankings"] == {"status": "degraded", "reason": reason}
    assert readyz("?strict", **state)[0] == 503
    assert readyz("?theme=dark&strict", **state)[0] == 503


@pytest.mark.parametrize("name", ["rankings", "users"])
def test_a_lost_database_degrades_all_processes_alike_and_keeps_them_ready(readyz, name):
    outage = Outage(name, "be read", 1)
    outage.fail(OSError("host db.internal is gone"))
    try:
        status, body = readyz()
    finally:
        outage.succeed()
    assert status == 200
    part = body["parts"][name]
    assert part["status"] == "degraded"
    assert re.fullmatch(r"the database is lost since \d\d:\d\d:\d\d UTC", part["reason"])
    assert readyz()[1]["status"] == "ok"


def test_an_idle_process_does_not_tell_of_an_outage_that_nobody_watches_any_more(readyz):
    outage = Outage("rankings", "be read", 1)
    outage.fail(OSError("host db.internal is gone"))
    try:
        status, body = readyz("?strict", feed="idle", tick_age_seconds=None)
    finally:
        outage.succeed()
    assert (status, body["parts"]["rankings"]) == (200, {"status": "idle"})


def test_a_process_without_free_descriptors_is_not_ready(readyz, monkeypatch):
    monkeypatch.setattr(capacity, "files", lambda: Files(250, 300, 60))
    status, body = readyz()
    assert (status, body["parts"]["files"]["status"]) == (503, "failed")


def test_nor_is_one_that_can_open_no_file_at_all(readyz, monkeypatch):
    def no_more(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("pathlib.Path.open", no_more)
    assert readyz()[0] == 503


# /metrics ------------------------------------------------------------------------------------------------


def documented() -> set[str]:
    """Return the metrics in the tables of docs/operating.md."""
    return set(re.findall(r"^\| `(live_\w+)`", PAGE, re.MULTILINE))


def measured(text: str, parse: Any = families) -> dict[str, Any]:
    return {family.name: family for family in parse(text) if family.name.startswith("live_")}


@pytest.fixture
def counted(monkeypatch):
    """Count one of each, so that each metric with labels has a sample."""
    metrics.REFUSED.labels("origin").inc()
    metrics.READ_SECONDS.labels("a").observe(0.1)
    metrics.READ_ERRORS.labels("a").inc()
    metrics.OUTAGES.labels("a").inc()
    metrics.WEBHOOKS.labels("delivered").inc()
    metrics.HISTORY_RECORDS.labels("a").inc()
    metrics.HISTORY_ERRORS.labels("a").inc()
    the_clock = history_clock.HistoryClock()
    the_clock.known = history_clock.History(datetime.now(UTC), newest=datetime.now(UTC))
    monkeypatch.setattr(history_clock, "running", lambda: the_clock)


def test_the_metrics_are_those_of_the_documentation(counted):
    text = ask("/metrics").content.decode()
    samples = {
        # Beside each counter and histogram, prometheus-client tells when it was created.
        sample.name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
        for family in measured(text).values()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    without_samples = set(measured(text)) - {name.removesuffix("_total") for name in samples}
    assert samples | {name for name in without_samples if name in documented()} == documented()


def test_the_library_s_own_metrics_are_there_with_the_descriptors():
    text = ask("/metrics").content.decode()
    assert {"process_open_fds", "process_max_fds", "process_resident_memory_bytes"} <= {
        family.name for family in families(text)
    }


def test_prometheus_gets_the_format_that_it_asks_for(counted):
    response = ask("/metrics", HTTP_ACCEPT="application/openmetrics-text; version=1.0.0")
    assert response["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert measured(response.content.decode(), openmetrics_families)
    assert ask("/metrics")["Content-Type"].startswith("text/plain; version=0.0.4")


def test_an_outage_and_the_age_and_the_faults_of_rankings_are_measured(monkeypatch):
    hub = new_hub()
    hub._watched.use([STATES], 0)
    hub.checked_at[STATES.id] = datetime.now(UTC) - timedelta(seconds=100)
    hub.faults["states-by-turnover"] = FAULT
    monkeypatch.setattr(get_hub, "items", lambda: [(None, hub)])
    outage = Outage("rankings", "be read", 1)
    outage.fail(OSError("gone"))
    try:
        found = measured(ask("/metrics").content.decode())
    finally:
        outage.succeed()
    (age,) = found["live_ranking_age_seconds"].samples
    assert age.labels == {"ranking": STATES.id}
    assert 100 <= age.value < 160
    faults = {sample.labels["ranking"]: sample.value for sample in found["live_ranking_fault"].samples}
    assert faults.pop("states-by-turnover") == 1
    assert set(faults.values()) == {0}
    assert [sample.labels for sample in found["live_outage"].samples] == [{"subject": "rankings"}]


@pytest.mark.django_db
def test_the_connections_to_each_database_are_counted_until_they_are_closed():
    def count() -> float:
        samples = measured(ask("/metrics").content.decode())["live_database_connections"].samples
        return float(sum(one.value for one in samples if one.labels["database"] == "default"))

    # What other tests have left open is closed when it is collected.
    gc.collect()
    before = count()
    other = connection.copy()
    other.connect()
    assert count() == before + 1
    other.close()
    assert count() == before


@pytest.mark.django_db
def test_users_may_be_in_a_database_of_any_kind():
    handler = ConnectionHandler({"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
    sqlite = handler["default"]
    open_connections = collector.Connections()
    # Sends connection_created to the app's own receiver, too.
    sqlite.ensure_connection()
    open_connections.on_created(sqlite)
    assert open_connections.count()["default"] == 1
    # Django's close() does nothing for a database in memory.
    sqlite.connection.close()
    sqlite.connection = None
    assert open_connections.count()["default"] == 0

"""`manage.py doctor`, on sites that work and on sites that don't."""

from __future__ import annotations

import io
import json
import os
import resource
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connections
from django.db.models.expressions import Col
from django.test import override_settings

from demo.shop.models import StateTurnover
from live import capacity
from live.conf import live_settings
from live.operators.doctor import databases, process
from live.operators.doctor.findings import Level, ok, run_checks
from live.rankings import RANKINGS
from tests.conftest import BOTH
from tests.processes import ROOT


def run() -> list[dict[str, Any]]:
    """Return the findings of a command in this process."""
    output = io.StringIO()
    with suppress(SystemExit):
        call_command("doctor", "--json", stdout=output)
    findings: list[dict[str, Any]] = json.loads(output.getvalue())
    return findings


def problems(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [finding for finding in findings if finding["level"] == Level.PROBLEM]


def doctor(**environment: str) -> tuple[int, str]:
    """Run the command in a process of its own; return its exit status and all that it has written."""
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor"],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout


# A site that works ---------------------------------------------------------------------------------------


@BOTH
def test_a_site_that_works_has_no_problems(orders, site_environment):
    orders((1, 1, 1.0, "Ohio"))
    findings = run()
    assert problems(findings) == []
    texts = [f"{finding['subject']}: {finding['text']}" for finding in findings]
    for part in (
        "versions: Python 3.",
        "database default: PostgreSQL 18",
        "database risingwave: PostgreSQL 18",
        "database default: its clock agrees",
        "database risingwave: all migrations are applied",
        "database default: table django_session: this user may SELECT, INSERT, UPDATE, DELETE",
        "ranking states-by-turnover: 1 rows, read from states_by_turnover_leading in",
        "ranking states-by-turnover--1h: 1 rows, read from states_by_turnover__1h_leading in",
        "descriptors: a process may open",
        "static files: are collected",
        "origins: the site's own",
    ):
        assert any(text.startswith(part) for text in texts), part


def test_the_status_is_0_without_problems_and_each_finding_is_a_line(site_environment):
    status, text = doctor(**site_environment, LIVE_OPEN="true")
    assert status == 0, text
    assert text.endswith("\n0 problems.\n")
    assert "ok       database default: PostgreSQL 18" in text


# A site that doesn't -------------------------------------------------------------------------------------


def test_an_unreachable_server_is_told_with_a_remedy_and_without_secrets(site_environment):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"postgres://somebody:s3cret-w0rd@127.0.0.1:{closed.getsockname()[1]}/nothing"
        status, text = doctor(**site_environment | {"DATABASE_URL": url, "RISINGWAVE_URL": url})
    assert status == 1
    assert text.count("can't be used: ") == 2
    assert text.count("Start the server, or set the right HOST and PORT.") == 2
    assert "Traceback" not in text
    assert "s3cret-w0rd" not in text


def test_a_server_that_accepts_connections_and_answers_nothing_is_told_in_time(site_environment):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # Not the timeout of the URL's, which would end it sooner.
        url = f"postgres://somebody:s3cret-w0rd@127.0.0.1:{silent.getsockname()[1]}/nothing?connect_timeout=2"
        status, text = doctor(**site_environment | {"RISINGWAVE_URL": url})
    assert status == 1
    assert "problem  database risingwave: can't be used: " in text
    assert "doesn't answer: look at its log, and at firewalls" in text
    assert "database default: all migrations are applied" in text
    assert "Traceback" not in text


def test_settings_that_can_not_be_read_are_told_without_a_traceback_or_a_secret():
    status, text = doctor(DATABASE_URL="postgres://somebody:s3cret#w0rd@host/name")
    assert status == 1
    assert text.startswith("The settings can't be used: DATABASE_URL isn't a URL of a database.")
    assert "s3cret" not in text
    assert "w0rd" not in text


def test_a_check_that_hangs_or_raises_does_not_keep_the_others_from_their_findings():
    over = threading.Event()

    def hang():
        yield ok("hanging", "connected")
        over.wait(60)

    def fail():
        raise ZeroDivisionError

    checks = {"hanging": hang, "failing": fail, "well": lambda: [ok("well", "works")]}
    findings = run_checks(checks, 1.0)
    over.set()
    assert [f"{finding.subject}: {finding.text}" for finding in findings] == [
        "hanging: connected",
        "hanging: doesn't answer within 1 s",
        "failing: can't be examined: ZeroDivisionError: ZeroDivisionError",
        "well: works",
    ]


@BOTH
def test_a_view_that_is_missing_is_named_and_the_other_rankings_are_examined(orders, monkeypatch):
    monkeypatch.setattr(StateTurnover._meta, "db_table", "no_such_view")
    for field in StateTurnover._meta.fields:
        # Django computes it once, with the name of the table. The test's must not stay.
        monkeypatch.setitem(vars(field), "cached_col", Col("no_such_view", field))
    monkeypatch.setattr("live.operators.doctor.rankings.leading_name", lambda slug: f"no_{slug}_leading")
    monkeypatch.setattr("live.feeding.sources.leading_name", lambda slug: f"no_{slug}_leading")
    found = [finding for finding in run() if finding["subject"] == "ranking states-by-turnover"]
    texts = [finding["text"] for finding in found]
    assert "no_such_view doesn't exist" in texts
    assert any(text.startswith("can't be read: its view doesn't exist") for text in texts)
    assert "manage.py migrate --database risingwave" in found[0]["remedy"]
    assert {finding["subject"] for finding in run()} >= {f"ranking {slug}" for slug in RANKINGS}


@BOTH
def test_a_user_without_privileges_is_told_which_to_grant(orders):
    connection = connections["default"]
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE reader NOLOGIN")
        cursor.execute("GRANT SELECT ON auth_user TO reader")
        cursor.execute("SET ROLE reader")
    try:
        findings = list(databases._check_tables_of_users("database default", connection))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP OWNED BY reader")
            cursor.execute("DROP ROLE reader")
    assert [finding.text for finding in findings] == [
        "table auth_user: this user lacks UPDATE",
        "table django_session: this user lacks SELECT, INSERT, UPDATE, DELETE",
    ]
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON django_session" in findings[1].remedy


@BOTH
def test_what_a_user_may_not_read_does_not_keep_the_rest_from_being_examined(orders, monkeypatch):
    def refuse(*_):
        raise ProgrammingError("permission denied for table django_migrations")

    orders((1, 1, 1.0, "Ohio"))
    monkeypatch.setattr("django.db.migrations.executor.MigrationExecutor.__init__", refuse)
    monkeypatch.setattr(connections["risingwave"].introspection, "get_subscriptions", refuse)
    texts = [f"{found.subject}: {found.text}" for found in databases.check_database("risingwave")]
    refused = "can't be examined as a whole: permission denied for table django_migrations"
    assert f"database risingwave, migrations: {refused}" in texts
    assert f"database risingwave, subscriptions: {refused}" in texts
    assert any(text.startswith("ranking states-by-turnover: 1 rows, read from") for text in texts), texts


@BOTH
def test_a_clock_that_differs_is_told(orders, monkeypatch):
    class Late(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(UTC) - timedelta(seconds=100)

    monkeypatch.setattr(databases, "datetime", Late)
    (finding,) = databases._check_clock("database default", connections["default"])
    assert finding.level == Level.ADVICE
    assert finding.text == "its clock differs from this machine's by 100 s"


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"ALLOWED_HOSTS": []}, "ALLOWED_HOSTS is empty: no page answers"),
        ({"ALLOWED_HOSTS": ["*"]}, "ALLOWED_HOSTS allows any host"),
        (
            {"SECURE_PROXY_SSL_HEADER": ("HTTP_X", "https"), "LIVE_TRUSTED_PROXIES": []},
            "a proxy terminates TLS, but LIVE_TRUSTED_PROXIES is empty: all clients have the proxy's address",
        ),
        ({"SECRET_KEY": "short"}, "Your SECRET_KEY has less than 50 characters"),
        ({"DEBUG": True}, "You should not have DEBUG set to True in deployment."),
    ],
)
def test_settings_that_others_could_use_are_told(changed, text):
    with override_settings(**changed):
        texts = [finding.text for finding in process.check_settings()]
    assert any(found.startswith(text) for found in texts), texts


@pytest.mark.parametrize(("missing", "level"), [(0, Level.OK), (1, Level.ADVICE)])
def test_a_process_that_may_open_too_few_files_is_told(monkeypatch, missing, level):
    limit = capacity.needed_files() - missing
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    (finding,) = process.check_descriptors()
    assert finding.level == level
    # As the process itself has it.
    assert (capacity.max_subscribers() == live_settings.MAX_SUBSCRIBERS) == (level == Level.OK)


def test_static_files_that_are_not_collected_are_told(tmp_path):
    with override_settings(STATIC_ROOT=tmp_path):
        (finding,) = process.check_static_files()
    assert (finding.level, finding.remedy) == (Level.PROBLEM, "Run: manage.py collectstatic")

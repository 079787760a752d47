"""How log lines and error reports are written."""

from __future__ import annotations

import io
import json
import logging
import sys
from contextvars import copy_context
from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings

from live.logs import request_context
from live.logs.error_reports import Reporter
from live.logs.formatters import JSONFormatter, LineFormatter
from live.logs.hidden_secrets import hide_secrets
from live.logs.request_context import begin_request, begin_socket
from live.middleware import OperatorMiddleware

FORMATTERS = [LineFormatter, JSONFormatter]


@pytest.fixture(autouse=True)
def no_request():
    """Forget the request that an earlier test has made in this thread."""
    request_context._current.set(None)


@pytest.fixture
def in_context():
    """Run a function in a context of its own, as a request has one."""
    return lambda function: copy_context().run(function)


def lines(formatter, *arguments, error: Exception | None = None, **extra) -> list[str]:
    """Return the lines of a warning with these arguments of logger.warning()."""
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(formatter())
    exc_info = (type(error), error, None) if error else None
    record = logging.LogRecord("a.logger", logging.WARNING, "file", 1, arguments[0], arguments[1:], exc_info)
    vars(record).update(extra)
    handler.handle(record)
    return output.getvalue().splitlines()


def test_a_line_for_people_has_the_time_the_level_the_logger_and_the_message():
    (line,) = lines(LineFormatter, "ranking %s: is read", "a")
    assert line.endswith(" WARNING a.logger: ranking a: is read")


def test_a_line_of_json_has_the_same_in_fields_and_the_status_of_the_response():
    (line,) = lines(JSONFormatter, "Not Found: %s", "/a", status_code=404)
    fields = json.loads(line)
    assert fields.pop("time").endswith("+00:00")
    assert fields == {"level": "WARNING", "logger": "a.logger", "message": "Not Found: /a", "status": 404}


def test_a_line_of_json_has_the_traceback_in_the_same_line():
    (line,) = lines(JSONFormatter, "failed", error=ValueError("two\nlines"))
    assert json.loads(line)["traceback"] == "ValueError: two\nlines"


FORGED = "2026-01-01 00:00:00,000 ERROR live: all is lost"


@pytest.mark.parametrize(
    "end", ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029", "\x1b[2K"]
)
@pytest.mark.parametrize("formatter", FORMATTERS)
def test_what_an_outsider_sends_can_not_begin_a_line(formatter, end):
    (line,) = lines(formatter, "Not Found: %s", f"/{end}{FORGED}")
    assert not line.startswith(FORGED)
    assert end not in line


@pytest.mark.parametrize("end", ["\n", "\r\n", "\u2028", "\x1b[2K"])
def test_nor_can_the_message_of_an_exception(end):
    _, *traceback = lines(LineFormatter, "failed", error=ValueError(f"a{end}{FORGED}"))
    assert traceback
    assert all(line.startswith("    ") for line in traceback)


# Request ids ---------------------------------------------------------------------------------------------


def answer(**extra) -> tuple[Any, list[str]]:
    """Return the answer to a request, and the line that is logged meanwhile."""
    logged = []

    def view(request):
        logged.extend(lines(JSONFormatter, "a line"))
        return HttpResponse()

    return copy_context().run(OperatorMiddleware(view), RequestFactory().get("/", **extra)), logged


def test_the_lines_of_a_request_have_the_id_that_its_answer_has():
    response, (line,) = answer()
    assert len(response["X-Request-ID"]) == 32
    assert json.loads(line)["request_id"] == response["X-Request-ID"]


def test_each_request_has_an_id_of_its_own():
    assert answer()[0]["X-Request-ID"] != answer()[0]["X-Request-ID"]


def test_a_thread_that_has_answered_a_request_serves_none_any_more():
    response: Any = OperatorMiddleware(lambda request: HttpResponse())(RequestFactory().get("/"))
    assert request_context.request_id() == response["X-Request-ID"]
    # It signals request_finished, by which Django would close the connections that other tests use.
    request_finished.disconnect(close_old_connections)
    try:
        response.close()
    finally:
        request_finished.connect(close_old_connections)
    assert request_context.request_id() is None


@override_settings(LIVE_TRUSTED_PROXIES=["192.0.2.0/24"])
def test_the_id_is_that_of_a_trusted_proxy():
    response, (line,) = answer(HTTP_X_REQUEST_ID="from-proxy.1", REMOTE_ADDR="192.0.2.7")
    assert response["X-Request-ID"] == json.loads(line)["request_id"] == "from-proxy.1"


@override_settings(LIVE_TRUSTED_PROXIES=["192.0.2.0/24"])
@pytest.mark.parametrize(
    ("peer", "sent"),
    [
        ("198.51.100.1", "from-outside"),
        ("192.0.2.7", "two words"),
        ("192.0.2.7", "a" * 65),
        ("192.0.2.7", "a\nb"),
        ("192.0.2.7", "é"),
        ("", "from-a-unix-socket"),
    ],
)
def test_an_id_from_elsewhere_or_with_other_characters_is_not_taken(peer, sent):
    assert len(answer(HTTP_X_REQUEST_ID=sent, REMOTE_ADDR=peer)[0]["X-Request-ID"]) == 32


def test_the_lines_of_a_websocket_have_an_id(in_context):
    def socket():
        begin_socket({"type": "websocket", "headers": [], "client": None})
        return lines(JSONFormatter, "a line") + lines(JSONFormatter, "another")

    first, second = (json.loads(line)["request_id"] for line in in_context(socket))
    assert first == second
    assert "request_id" not in json.loads(lines(JSONFormatter, "elsewhere")[0])


# Secrets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("can't reach postgres://u:pässw0rd@host/db", "can't reach postgres://u:***@host/db"),
        ("can't reach postgres://u:p@ss/w:rd@host/db", "can't reach postgres://u:***@host/db"),
        ("postgres://u@host:5432/db is lost", "postgres://u@host:5432/db is lost"),
        ('invalid dsn: "host=a password=s3cr3t port=b"', 'invalid dsn: "host=a password=*** port=b"'),
        ("password='two words' user=a", "password=*** user=a"),
        ("GET /?access_token=abc&theme=dark", "GET /?access_token=***&theme=dark"),
        ("Cookie: sessionid=abc; theme=dark", "Cookie: sessionid=***; theme=dark"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        (
            "relation does not exist\nLINE 1: ... = 'k3y'\n      ^\nmore",
            "relation does not exist\nLINE 1: …\nmore",
        ),
        ("can't (no relation LINE 1: ... = 'k3y' ^); retrying", "can't (no relation LINE 1: …); retrying"),
        ("DETAIL: Key (session_key)=(k3y) already exists", "DETAIL: Key (session_key)=(***) already exists"),
        ("Failing row contains (k3y, data, (a)).", "Failing row contains (***)"),
        ('password authentication failed for user "a"', 'password authentication failed for user "a"'),
        ("ranking a: the password is wrong", "ranking a: the password is wrong"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text, hidden):
    assert hide_secrets(text) == hidden


@override_settings(SECRET_KEY="the-k3y", SECRET_KEY_FALLBACKS=["the-old-k3y"])
def test_the_secrets_of_the_settings_are_hidden():
    assert hide_secrets("(the-k3y) the-old-k3y the-k3ys") == "(***) *** the-k3ys"


def secretive_request() -> HttpRequest:
    request = RequestFactory().post(
        "/login/?token=in-the-query",
        {"username": "a-user", "password": "in-the-form"},
        HTTP_COOKIE="sessionid=in-the-cookie; other=other-cookie",
        HTTP_AUTHORIZATION="Bearer in-the-header",
        HTTP_X_API_KEY="in-a-key",
    )
    assert request.POST
    return request


SECRETS = ["in-the-query", "in-the-form", "in-the-cookie", "other-cookie", "in-the-header", "in-a-key"]


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_the_secrets_of_a_request_are_hidden_in_its_lines(in_context, formatter):
    def request():
        begin_request(secretive_request())
        return lines(formatter, "%s", SECRETS, error=ValueError(*SECRETS))

    text = "\n".join(in_context(request))
    assert not [secret for secret in SECRETS if secret in text]


def test_the_secrets_of_a_websocket_are_hidden_in_its_lines(in_context):
    def socket():
        begin_socket(
            {
                "type": "websocket",
                "headers": [
                    (b"cookie", b"sessionid=in-the-cookie"),
                    (b"authorization", b"Basic in-the-header"),
                ],
                "query_string": b"token=in-the-query",
                "client": None,
            }
        )
        return hide_secrets("in-the-cookie in-the-header in-the-query")

    assert in_context(socket) == "*** *** ***"


def test_error_reports_have_no_secrets(in_context):
    def report():
        request = secretive_request()
        begin_request(request)
        try:
            raise ValueError(*SECRETS)  # noqa: TRY301
        except ValueError:
            with override_settings(DEFAULT_EXCEPTION_REPORTER_FILTER="live.logs.error_reports.ReportFilter"):
                return Reporter(request, *sys.exc_info()).get_traceback_text()

    text = in_context(report)
    assert "ValueError" in text
    assert not [secret for secret in [*SECRETS, "a-user"] if secret in text]


@pytest.mark.parametrize("part", ["a.", "://", "token=", "a:", "http://a:", "Bearer ", "LINE 1: ", "Key ("])
def test_long_text_of_an_outsider_is_searched_in_linear_time(part):
    """A pattern that backtracks would take minutes."""
    assert hide_secrets(part * 100_000).startswith(part.strip())

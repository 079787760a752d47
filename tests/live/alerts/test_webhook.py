"""A crossing is posted to a real HTTP server, once, and what the receiver does harms nobody."""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.core.checks import Error
from django.test import override_settings

from live import checks
from live.alerts import webhook
from live.logs.error_reports import ReportFilter
from live.logs.hidden_secrets import hide_secrets
from tests.live.alerts.receiver import Receiver, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGE = {"ranking": "states-by-turnover", "id": 7, "text": "Ohio above $500"}


@pytest.fixture
def hook(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(webhook, "WEBHOOK_RETRY_SECONDS", 0.01)
    with receiver() as running:
        settings.LIVE_WEBHOOK_URL = running.url
        yield running


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_message_is_posted_as_json_and_the_log_says_so(hook, caplog):
    caplog.set_level(logging.INFO)
    webhook.deliver(MESSAGE)
    path, headers, body = hook.get()
    assert path == "/hook/s3cret-token?a=1"
    assert headers["Content-Type"] == "application/json"
    assert "Live-Signature" not in headers
    assert body.pop("sent_at").endswith("Z")
    assert body == MESSAGE
    assert lines(caplog) == ["webhook: ranking states-by-turnover, crossing 7: delivered"]


def test_a_message_is_signed_if_a_secret_is_set(hook, settings):
    settings.LIVE_WEBHOOK_SECRET = "shared"
    webhook.deliver(MESSAGE)
    _, headers, body = hook.requests.get(timeout=60)
    digest = hmac.new(b"shared", body, hashlib.sha256).hexdigest()
    assert headers["Live-Signature"] == f"sha256={digest}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(hook, caplog, status):
    hook.statuses.append(status)
    webhook.deliver(MESSAGE)
    assert hook.requests.qsize() == 1
    assert lines(caplog) == [
        f"webhook: ranking states-by-turnover, crossing 7: not delivered (status {status})"
    ]


@pytest.mark.parametrize(
    ("statuses", "posts", "outcome"),
    [
        ([503], 2, "delivered"),
        ([429, 503, 204], 2, "not delivered (status 503)"),
        ([500], 1, "not delivered (status 500)"),
        ([404], 1, "not delivered (status 404)"),
    ],
)
def test_only_a_message_that_was_not_taken_is_posted_again_and_once(hook, caplog, statuses, posts, outcome):
    caplog.set_level(logging.INFO)
    hook.statuses += statuses
    webhook.deliver(MESSAGE)
    assert hook.requests.qsize() == posts
    assert lines(caplog)[-1].endswith(outcome)


def test_a_receiver_that_never_answers_is_given_up(hook, caplog, monkeypatch):
    monkeypatch.setattr(webhook, "WEBHOOK_SECONDS", 0.2)
    hook.statuses += [None]
    webhook.deliver(MESSAGE)
    (line,) = lines(caplog)
    assert line.startswith("webhook: ranking states-by-turnover, crossing 7: not delivered (no answer")


def test_a_receiver_that_is_slow_delays_nobody_and_few_messages_wait_for_it(hook, caplog, monkeypatch):
    monkeypatch.setattr(webhook, "WEBHOOK_SECONDS", 60)
    monkeypatch.setattr(webhook, "MAX_WAITING_MESSAGES", 2)
    monkeypatch.setattr(webhook, "_waiting", type(webhook._waiting)(2))
    hook.statuses += [None]
    webhook.post(MESSAGE)
    hook.get()
    for number in (8, 9, 10):
        webhook.post(MESSAGE | {"id": number})
    assert lines(caplog) == ["webhook: a message is dropped, since 2 others wait"]
    hook.released.set()
    assert [hook.get()[2]["id"] for _ in range(2)] == [8, 9]
    wait_for_thread()


def test_messages_wait_where_no_thread_can_be_started_and_go_with_the_next_one(hook, caplog, monkeypatch):
    wait_for_thread()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        webhook.post(MESSAGE)
    assert lines(caplog) == [
        "webhook: messages wait, because no thread can be started (can't start new thread)"
    ]
    webhook.post(MESSAGE | {"id": 8})
    assert [hook.get()[2]["id"] for _ in range(2)] == [7, 8]


def test_after_the_thread_has_ended_because_nothing_waits_another_one_posts(hook):
    for number in (1, 2):
        webhook.post(MESSAGE | {"id": number})
        assert hook.get()[2]["id"] == number
        wait_for_thread()


def wait_for_thread() -> None:
    """Wait until no message waits any more."""
    for thread in threading.enumerate():
        if thread.name == "webhook":
            thread.join(60)


def test_an_unreachable_receiver_is_logged_without_its_url(hook, caplog, settings):
    settings.LIVE_WEBHOOK_URL = "http://127.0.0.1:1/hook/s3cret-token"
    webhook.deliver(MESSAGE)
    (line,) = lines(caplog)
    assert line.endswith("not delivered (no answer: ConnectionRefusedError)")


def test_without_a_url_nothing_is_posted(settings):
    settings.LIVE_WEBHOOK_URL = ""
    webhook.post(MESSAGE)
    assert webhook._waiting.empty()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://user:token@example.com/hook",
        "https:///hook",
        "ftp://example.com/",
        "example.com/hook",
        "https://example.com/a hook",
        "https://example.com:x/",
        7,
    ],
)
def test_a_url_that_is_not_safe_is_an_error_that_does_not_show_it(url):
    with override_settings(LIVE_WEBHOOK_URL=url):
        (error,) = checks.check_settings()
    assert isinstance(error, Error)
    assert error.msg.startswith("LIVE_WEBHOOK_URL must be an https URL")
    assert str(url) not in f"{error.msg} {error.hint}"


@pytest.mark.parametrize(
    "url", ["https://example.com/hook?x=1", "http://localhost:9/", "http://[::1]:9/", ""]
)
def test_an_https_url_or_one_of_this_machine_is_allowed(url):
    with override_settings(LIVE_WEBHOOK_URL=url):
        assert checks.check_settings() == []


def test_the_url_is_hidden_in_logs_and_error_reports(settings):
    settings.LIVE_WEBHOOK_URL = "https://example.com/hook/s3cret-token"
    assert "s3cret" not in hide_secrets(f"failed: {settings.LIVE_WEBHOOK_URL}")
    shown = ReportFilter().get_safe_settings()
    assert "s3cret" not in str(shown["LIVE_WEBHOOK_URL"])

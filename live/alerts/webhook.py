"""Posts what crosses a threshold to the URL of LIVE_WEBHOOK_URL, in a thread that delays nothing else.

docs/rankings.md describes what is posted. The URL is never logged: it may have a token in it.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import logging
import queue
import socket
import ssl
import threading
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.core.serializers.json import DjangoJSONEncoder

from live import metrics
from live.conf import live_settings
from live.formats import isoformat
from live.logs.repeated_lines import RepeatedLines

if TYPE_CHECKING:
    from live.models import Crossing
    from live.rankings import Ranking
    from live.thresholds import Threshold

logger = logging.getLogger(__name__)
_lines = RepeatedLines(logger, logging.ERROR)

#: Within this time a receiver must have answered.
WEBHOOK_SECONDS = 5.0
#: Time before the one further attempt after a receiver has certainly not taken a message.
WEBHOOK_RETRY_SECONDS = 5.0
#: Messages that wait for a slow receiver. More are dropped: whoever gets hundreds at once reads none.
MAX_WAITING_MESSAGES = 100
#: Answers after which the message is posted again: too many requests, and a server or proxy without service.
RETRIED_STATUSES = frozenset({429, 502, 503, 504})
#: Version of the message.
VERSION = 1


def body(ranking: Ranking, threshold: Threshold, crossing: Crossing, name: str) -> dict[str, Any]:
    """Return what is posted of a crossing, in the active language. `name` is the row's, "" for the total."""
    title, text = str(ranking.title), threshold.text(ranking.displayed)
    display = ranking.displayed(crossing.value)
    return {
        "version": VERSION,
        "event": "crossed",
        "id": crossing.pk,
        "ranking": ranking.slug,
        "window": ranking.window,
        "title": title,
        "threshold": {
            "of": threshold.of,
            "above": threshold.above,
            "below": threshold.below,
            "clear": threshold.cleared_at,
            "text": text,
        },
        "key": json.loads(crossing.key) if crossing.key else None,
        "name": name or None,
        "value": crossing.value,
        "display": display,
        "since": isoformat(crossing.began_at),
        # What chat programs show of a message.
        "text": f"{title}: {name}{' ' if name else ''}{text} ({display})",
    }


def post(message: dict[str, Any]) -> None:
    """Post a message soon, if a URL is set. Never blocks; the outcome is logged."""
    if not live_settings.WEBHOOK_URL:
        return
    try:
        _waiting.put_nowait(message)
    except queue.Full:
        _done("dropped", "webhook: a message is dropped, since %d others wait", MAX_WAITING_MESSAGES)
        return
    _sender.ensure()


_waiting: queue.Queue[dict[str, Any]] = queue.Queue(MAX_WAITING_MESSAGES)


class _Sender:
    """The thread that posts, which ends when nothing waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_running = False

    def ensure(self) -> None:
        """Start the thread if it doesn't run. Where none can be started, the next message tries again."""
        with self._lock:
            if self._is_running:
                return
            try:
                threading.Thread(target=self._run, name="webhook", daemon=True).start()
            except RuntimeError as error:  # The process has as many threads as it may have.
                _lines.log("thread", f"webhook: messages wait, because no thread can be started ({error})")
            else:
                self._is_running = True

    def _run(self) -> None:
        while True:
            with self._lock:
                try:
                    message = _waiting.get_nowait()
                except queue.Empty:
                    self._is_running = False
                    return
            try:
                deliver(message)
            except Exception as error:  # noqa: BLE001 - the next message must be posted all the same
                _lines.log("webhook", f"webhook: failed ({type(error).__name__})")


_sender = _Sender()


def deliver(message: dict[str, Any]) -> None:
    """Post a message, a second time if it has certainly not been taken, and log the outcome."""
    subject = f"ranking {message['ranking']}, crossing {message['id']}"
    for is_last in (False, True):
        status, reason, is_taken = _post(message)
        if status is not None and 200 <= status < 300:
            _done("delivered", "webhook: %s: delivered", subject)
            return
        if is_last or is_taken:
            break
        time.sleep(WEBHOOK_RETRY_SECONDS)
    _done("failed", "webhook: %s: not delivered (%s)", subject, reason)


def _done(outcome: str, line: str, *values: object) -> None:
    metrics.WEBHOOKS.labels(outcome).inc()
    logger.log(logging.INFO if outcome == "delivered" else logging.ERROR, line, *values)


def _post(message: dict[str, Any]) -> tuple[int | None, str, bool]:
    """Post once. Return the status or None, the reason for a failure, and whether it may have been taken."""
    url = urlsplit(live_settings.WEBHOOK_URL)
    text = json.dumps(message | {"sent_at": isoformat(datetime.now(UTC))}, cls=DjangoJSONEncoder).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "django-live-rankings"}
    if secret := live_settings.WEBHOOK_SECRET:
        digest = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
        headers["Live-Signature"] = f"sha256={digest}"
    secure = {"context": ssl.create_default_context()} if url.scheme == "https" else {}
    kind: Any = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection: http.client.HTTPConnection = kind(url.hostname, url.port, timeout=WEBHOOK_SECONDS, **secure)
    # The timeout of a socket is that of each read: a receiver could send a byte now and then for ever.
    deadline = threading.Timer(WEBHOOK_SECONDS, _cut, [connection])
    deadline.daemon = True
    deadline.start()
    is_sent = False
    try:
        with closing(connection):
            connection.connect()
            is_sent = True
            path = url.path or "/"
            connection.request("POST", f"{path}?{url.query}" if url.query else path, text, headers)
            # http.client follows no redirects. What else the receiver says isn't read.
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        # Without the message, which may have a part of the URL.
        return None, f"no answer: {type(error).__name__}", is_sent
    finally:
        deadline.cancel()
    return status, f"status {status}", status not in RETRIED_STATUSES


def _cut(connection: http.client.HTTPConnection) -> None:
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)

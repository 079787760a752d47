"""Logs attempts to log in that fail, without their passwords."""

from __future__ import annotations

import logging
from itertools import count
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model

from live import metrics
from live.addresses import request_address
from live.logs.repeated_lines import RepeatedLines

if TYPE_CHECKING:
    from django.http import HttpRequest

#: Characters of a name that are logged: more may be a password, or junk.
MAX_NAME_LENGTH = 40
#: Failed attempts of one minute that get a line each. The next lines say how many were left out.
MAX_LINES_PER_MINUTE = 20

_lines = RepeatedLines(logging.getLogger(__name__), logging.WARNING)
_attempts = count()


def on_login_failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: object) -> None:
    """Log and count an attempt. Receives Django's user_login_failed, in any thread."""
    metrics.LOGIN_FAILURES.inc()
    name = str(credentials.get(get_user_model().USERNAME_FIELD, ""))
    shown = repr(name[:MAX_NAME_LENGTH]) + ("…" if len(name) > MAX_NAME_LENGTH else "")
    address = (request and request_address(request)) or "an unknown address"
    # As many kinds as lines of a minute: each kind has one.
    kind = f"failed login {next(_attempts) % MAX_LINES_PER_MINUTE}"
    _lines.log(kind, f"login of {shown}: failed, from {address}")

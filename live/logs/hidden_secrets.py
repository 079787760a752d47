"""Replaces passwords, tokens and cookies in text that is logged or reported."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from django.conf import settings

from live.logs.request_context import request_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN = "***"
#: Shorter values aren't replaced: they hide nothing that can't be guessed, and would occur in ordinary words.
MIN_SECRET_CHARACTERS = 4

# Outsiders choose much of what is logged: each pattern is bounded or possessive, so that none takes long.
_PATTERNS = (
    # The password in a URL, up to the last "@": one in the password should be %40, and sometimes isn't.
    (re.compile(r"(://[^\s/:@]{0,100}+:)\S{1,300}(?=@)"), rf"\1{HIDDEN}"),
    # password=…, as in libpq's connection strings, cookies, forms and queries.
    (
        re.compile(
            r"((?:passw|secret|token|session_?id|api_?key|signature)[\w.-]{0,40}+\s?=\s?)"
            r"""(?:'[^']*+'?|"[^"]*+"?|[^\s&;,'"]++)""",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(Bearer|Basic) {1,9}+[^\s'\"]++"), rf"\1 {HIDDEN}"),
    # PostgreSQL repeats the statement, with its values: psycopg2 writes them into the SQL. Up to the caret.
    (re.compile(r"(\bLINE \d{1,9}: )(?:[^\n^]*+\n?[ \t]*+\^|[^\n]*+)"), r"\1…"),
    (re.compile(r"(\bKey \([^)\n]{0,200}+\)=\()[^)\n]*+"), rf"\1{HIDDEN}"),
    (re.compile(r"(\bFailing row contains )[^\n]*+"), rf"\1({HIDDEN})"),
)


def hide_secrets(text: str) -> str:
    """Return the text without secrets: those of the settings, of the request, and what looks like one."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    # The longest first: one may be part of another.
    for secret in sorted({*_settings_secrets(), *request_secrets()}, key=len, reverse=True):
        if len(secret) >= MIN_SECRET_CHARACTERS and secret in text:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return text


def _settings_secrets() -> Iterator[str]:
    passwords = (database.get("PASSWORD") for database in settings.DATABASES.values())
    webhook = (getattr(settings, "LIVE_WEBHOOK_URL", ""), getattr(settings, "LIVE_WEBHOOK_SECRET", ""))
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS, *passwords, *webhook):
        if secret and isinstance(secret, str):
            yield secret
            yield quote(secret, safe="")

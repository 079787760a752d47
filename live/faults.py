"""What is wrong with one ranking, in words for its viewers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import DataError, Error
from django.utils.translation import gettext

from live.conf import live_settings

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class Fault:
    """Why one ranking can't be read, while others can. The log has the whole error."""

    #: Completes "The ranking can't be shown: …". Has no SQL, no name of a host and no secret.
    reason: str
    #: When the ranking could not be read for the first time.
    since: datetime

    @property
    def note(self) -> str:
        """What the card of the ranking says, with the apostrophes of a page."""
        return gettext("can’t be read: {reason}").replace("{reason}", translated(self.reason))


def translated(reason: str) -> str:
    """Return what reason_for() has returned in the active language, with the apostrophes of a page."""
    seconds = re.search(r"within ([\d.]+) s$", reason)
    text = gettext(reason.replace(seconds[1], "{seconds}") if seconds else reason)
    return (text.replace("{seconds}", seconds[1]) if seconds else text).replace("'", "’")


class UnshowableError(Exception):
    """A ranking's rows can't be shown. The message, for its viewers, completes "can't be read: …"."""


def reason_for(error: Exception) -> str:
    """Return why a ranking can't be read, for its viewers."""
    late = f"its view doesn't answer within {live_settings.QUERY_TIMEOUT_SECONDS:g} s"
    if isinstance(error, TimeoutError):
        return late
    if isinstance(error, UnshowableError):
        return str(error)
    if isinstance(error, DataError) or not isinstance(error, Error):
        return "it has a value that can't be shown"
    cause = error.__cause__
    # psycopg 3 and psycopg2. RisingWave has XX000 for nearly all errors, so there the text decides.
    code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    text = str(error)
    if code == "42P01" or re.search(r"(table|source|view|relation|schema)\b.* not found", text):
        return "its view doesn't exist"
    if code == "42703" or re.search(r"Invalid column", text):
        return "one of its columns doesn't exist"
    if code == "42501" or re.search(r"permission denied", text, re.IGNORECASE):
        return "this site may not read its view"
    if code == "57014" or re.search(r"Query cancelled|\btime(d )?out\b", text):
        return late
    return "it can't be read"

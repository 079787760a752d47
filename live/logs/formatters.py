"""How log lines are written: one line a fact, with the request's id and without secrets.

In LOGGING, name a formatter by its class: `{"()": "live.logs.formatters.JSONFormatter"}`. No library
writes the JSON: python-json-logger would be a dependency for one call of json.dumps.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from live.logs.hidden_secrets import hide_secrets
from live.logs.request_context import request_id

#: Characters that could end a line, move the cursor or change the order of the text.
#: https://owasp.org/www-community/attacks/Log_Injection
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class LineFormatter(logging.Formatter):
    """Writes a record as a line for people; the lines of a traceback after it are indented.

    What an outsider sends can't begin a line of its own: control characters are escaped.
    """

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        line = _escaped(hide_secrets(super().formatMessage(record)))
        return f"{line} [{identity}]" if (identity := request_id()) else line

    def formatException(self, ei: Any) -> str:  # noqa: N802 - as above
        return _indented(hide_secrets(super().formatException(ei)))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - as above
        return _indented(hide_secrets(stack_info))


class JSONFormatter(logging.Formatter):
    """Writes a record as a JSON object in a line, in ASCII.

    Its fields are `time`, `level`, `logger`, `message`, and where there is one `request_id`, `status` (of
    the response) and `traceback`.
    """

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": hide_secrets(record.getMessage()),
            "request_id": request_id(),
            "status": getattr(record, "status_code", None),
        }
        if record.exc_info:
            facts["traceback"] = hide_secrets(self.formatException(record.exc_info))
        return json.dumps({name: value for name, value in facts.items() if value is not None})


def _escaped(text: str) -> str:
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _indented(text: str) -> str:
    return "\n".join(f"    {_escaped(line)}" for line in text.split("\n"))

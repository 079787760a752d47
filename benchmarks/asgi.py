"""The dashboard on Daphne as on any other server: without what live.transport knows of it."""

from __future__ import annotations

from typing import Any

from live import transport
from live.asgi import application  # noqa: F401


def unknown(send: Any) -> Any:
    return None


transport.daphne_protocol = unknown

"""The dashboard on Daphne as on any other server: without what live.daphne knows of it."""

from __future__ import annotations

from typing import Any

from live import daphne
from live.asgi import application  # noqa: F401


def unknown(send: Any) -> Any:
    return None


daphne.protocol_of = unknown

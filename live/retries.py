"""How long to wait between attempts to reach a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def retry_delays(first: float, longest: float) -> Iterator[float]:
    """Yield the seconds to wait before each next attempt: `first`, then twice the last, up to `longest`."""
    delay = first
    while True:
        yield delay
        delay = min(delay * 2, longest)

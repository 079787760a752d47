"""How many frames a client may send over a WebSocket."""

from __future__ import annotations

import time

#: Frames that a client may send at once: more than a burst of MAX_CLIENT_MESSAGES messages and some pings.
MAX_BURST_FRAMES = 60
#: Frames per second that it may send for ever. It answers one ping in 20 s, and may send as many of its own.
FRAMES_PER_SECOND = 1.0


class FrameRate:
    """Allows MAX_BURST_FRAMES at once, and FRAMES_PER_SECOND in the long run: a token bucket.

    A total would close the sockets of pages that stay open for days and answer each ping.
    """

    def __init__(self) -> None:
        self._allowed = float(MAX_BURST_FRAMES)
        self._counted_at = time.monotonic()

    def allows_another(self) -> bool:
        """Count a frame; return whether it is still allowed."""
        now = time.monotonic()
        gained = (now - self._counted_at) * FRAMES_PER_SECOND
        self._counted_at = now
        self._allowed = min(self._allowed + gained, MAX_BURST_FRAMES) - 1
        return self._allowed >= 0

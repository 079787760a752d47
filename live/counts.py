"""What a hub's subscribers have been sent, in plain numbers: a delivery must stay cheap."""

from __future__ import annotations


class Counts:
    """Numbers of frames since the process started."""

    __slots__ = ("_size", "_text", "bytes", "coalesced", "frames")

    def __init__(self) -> None:
        #: Messages that transports took, and their bytes in UTF-8.
        self.frames = 0
        self.bytes = 0
        #: Messages that a newer one replaced, because a slow client had not taken them yet.
        self.coalesced = 0
        # The last text: the same one usually goes to many subscribers, and is measured once.
        self._text, self._size = "", 0

    def add(self, text: str) -> None:
        """Count a frame."""
        if text is not self._text:
            self._text, self._size = text, len(text.encode())
        self.frames += 1
        self.bytes += self._size

"""What is asked of a socket and a close frame on any server."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from typing import Any

#: Bytes that the kernel takes beyond what is on its way to the reader. Without it Linux takes up to 4 MB, all
#: of it older than what a slow reader should see next. https://www.kernel.org/doc/html/latest/networking/ip-sysctl.html
UNSENT = 16_384
#: Linux has it; Python tells it since 3.12.
TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if sys.platform == "linux" else None)


def keep_little_unsent(sock: Any) -> None:
    """Let the kernel take no more than UNSENT bytes beyond what is on its way."""
    if TCP_NOTSENT_LOWAT is not None:
        with suppress(OSError):  # A unix socket has no such option.
            sock.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT)


def shortened(reason: str) -> bytes:
    """As much of it as a close frame holds.

    https://datatracker.ietf.org/doc/html/rfc6455#section-5.5
    """
    return reason.encode()[:123].decode(errors="ignore").encode()

from __future__ import annotations

import selectors
import socket
from contextlib import suppress
from typing import Protocol


class HasFileno(Protocol):
    """A socket, or anything else that a selector can wait for."""

    def fileno(self) -> int: ...


class SelectableEvent:
    """A threading.Event that a thread can wait for together with sockets.

    Any thread may call set(), which never blocks. One thread waits for the event and closes it.
    """

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)

    def fileno(self) -> int:
        """Return the file descriptor that is readable while the event is set."""
        return self._receiver.fileno()

    def set(self) -> None:
        """Set the event. Does nothing if it is set already, or closed."""
        # BlockingIOError: the buffer is full of earlier calls. Other errors: the event is closed.
        with suppress(OSError):
            self._sender.send(b"\0")

    def clear(self) -> None:
        """Reset the event."""
        with suppress(BlockingIOError):
            while self._receiver.recv(4096):
                pass

    def wait(self, timeout: float | None = None, *others: HasFileno) -> bool:
        """Wait until the event is set or one of `others` is readable; return whether the event is set.

        Waits at most `timeout` seconds, or without a limit if it's None. The event stays set until clear().
        """
        # Not select.select(), which refuses file descriptors above 1,023, nor epoll, which needs a descriptor
        # of its own when the process may have none left.
        with selectors.PollSelector() as selector:
            for waited_for in (self, *others):
                selector.register(waited_for, selectors.EVENT_READ)
            return any(key.fileobj is self for key, _ in selector.select(timeout))

    def close(self) -> None:
        """Close both sockets. A later set() does nothing."""
        self._sender.close()
        self._receiver.close()

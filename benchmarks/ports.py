"""Ports for real servers, a different block for each process that starts some."""

from __future__ import annotations

import itertools
import random
import socket
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: More than a process has servers at the same time.
BLOCK_SIZE = 50
#: The first ports of the blocks. From 32,768 on, Linux gives ports to outgoing connections.
BLOCKS = range(10_000, 32_000, BLOCK_SIZE)


def bind(probe: socket.socket, port: int) -> bool:
    """Whether the socket could be bound to this port."""
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def reserve_block() -> int:
    """Return the first port of a block. It stays bound until this process exits. Raises OSError."""
    with closing(socket.socket()) as guard:
        for first in random.sample(BLOCKS, len(BLOCKS)):
            if bind(guard, first):
                guard.detach()
                return first
    raise OSError(f"There is no free port from {BLOCKS.start:,} to {BLOCKS.stop:,}. End some servers.")


def free_ports() -> Iterator[int]:
    """Yield the free ports of this process's block, again and again."""
    first = reserve_block()
    for port in itertools.cycle(range(first + 1, first + BLOCK_SIZE)):
        with closing(socket.socket()) as probe:
            # Servers bind so too: connections of the last server that aren't forgotten yet don't matter.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            is_free = bind(probe, port)
        if is_free:
            yield port


_ports = free_ports()


def free_port() -> int:
    """Return a TCP port that nothing listens on and that no other process gets from here."""
    return next(_ports)

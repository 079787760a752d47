"""How many connections a process has on Daphne. Imported only where Daphne is."""

from __future__ import annotations

import logging
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionAborted
from twisted.python.failure import Failure

from live import metrics
from live.addresses import client_address, is_trusted_proxy
from live.capacity import max_connections
from live.conf import live_settings
from live.logs.repeated_lines import RepeatedLines

if TYPE_CHECKING:
    from live.servers.daphne_requests import LimitedChannel

logger = logging.getLogger(__name__)
refused_lines = RepeatedLines(logger, logging.WARNING)


class Connections:
    """The connections of this process, for use on Daphne's event loop.

    A connection counts until its socket is closed, WebSockets included. One that waits for the client to send
    a request, or the rest of its headers, can be given up for another.
    """

    def __init__(self) -> None:
        self._addresses: dict[Any, str] = {}
        self._by_address: Counter[str] = Counter()
        #: The channels that wait for their client, the one that waits longest first.
        self._waiting: dict[LimitedChannel, None] = {}

    def __len__(self) -> int:
        return len(self._addresses)

    def make_room(self, host: str | None) -> bool:
        """Return whether this host may open another connection; close one that waits if there are many."""
        address = client_address(host, None)
        limit = max_connections()
        if len(self) >= limit:
            self._close_longest_waiting(limit)
        if len(self) >= limit:
            self._refuse(
                "connections", f"{limit:,} connections are open, which is all that this process may have"
            )
            return False
        most = live_settings.MAX_CONNECTIONS_PER_ADDRESS
        # The peers of a Unix socket have no address: they are proxies on this machine.
        if address and self._by_address[address] >= most and not is_trusted_proxy(address):
            self._refuse(
                "connections_per_address",
                f"one address has {most:,} connections, which is LIVE_MAX_CONNECTIONS_PER_ADDRESS",
            )
            return False
        return True

    def add(self, transport: Any, host: str | None) -> None:
        """Count a connection that has been opened."""
        address = self._addresses[transport] = client_address(host, None)
        self._by_address[address] += 1

    def remove(self, transport: Any) -> None:
        """Forget a connection whose socket is closed."""
        address = self._addresses.pop(transport, None)
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def wait_for(self, channel: LimitedChannel) -> None:
        """Note that this channel now waits for its client."""
        self._waiting[channel] = None

    def wait_no_more(self, channel: LimitedChannel) -> None:
        """Note that this channel has a request, or is closed."""
        self._waiting.pop(channel, None)

    def _close_longest_waiting(self, limit: int) -> None:
        channel = next(iter(self._waiting), None)
        if channel is not None:
            del self._waiting[channel]
            self._refuse(
                "waiting",
                f"a connection that sent no request made room for another; at most {limit:,} may be open",
            )
            # At once. After abortConnection(), the socket stays open until Twisted has accepted all others.
            channel.transport.connectionLost(Failure(ConnectionAborted()))  # type: ignore[no-untyped-call]

    @staticmethod
    def _refuse(reason: str, text: str) -> None:
        metrics.REFUSED.labels(reason).inc()
        refused_lines.log(reason, f"connections: {text}")


@cache
def get_connections() -> Connections:
    """Return the connections of this process."""
    return Connections()

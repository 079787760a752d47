"""The one place that knows ASGI servers: what `live` needs of them and ASGI doesn't offer.

Only live.routing chooses a server. The rest of `live` knows the classes in live.servers.base.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from live.servers.asgi import ASGIServer

if TYPE_CHECKING:
    from live.servers.base import Server

# Whoever imports daphne.server installs Twisted's reactor, which only Daphne itself should do.
DAPHNE = "daphne.server"


def limit_connections() -> None:
    """Let Daphne limit connections and requests, if it is what runs this process.

    Call it before the server starts, such as when the application is imported: an attacker doesn't wait.
    """
    if DAPHNE in sys.modules:
        from live.servers import daphne_factories  # noqa: PLC0415

        daphne_factories.install()


def detect() -> Server:
    """Return the server that runs this process, ready for its connections.

    For Daphne this installs hooks in Twisted's reactor, so call it once, on the server's event loop.
    """
    if DAPHNE in sys.modules:
        from live.servers.daphne import DaphneServer, is_running  # noqa: PLC0415

        if is_running():
            return DaphneServer()
    return ASGIServer()

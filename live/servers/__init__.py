"""The one place that knows ASGI servers: what `live` needs of them and ASGI doesn't offer.

Only live.routing chooses a server. The rest of `live` knows the classes in live.servers.base.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from live.servers.asgi import ASGIServer

if TYPE_CHECKING:
    from live.servers.base import Server


def detect() -> Server:
    """Return the server that runs this process, ready for its connections.

    For Daphne this installs hooks in Twisted's reactor, so call it once, on the server's event loop.
    """
    # Whoever imports daphne.server installs Twisted's reactor, which only Daphne itself should do.
    if "daphne.server" in sys.modules:
        from live.servers.daphne import DaphneServer, is_running  # noqa: PLC0415

        if is_running():
            return DaphneServer()
    return ASGIServer()

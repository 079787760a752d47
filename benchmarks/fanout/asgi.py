"""The dashboard on Daphne as on any other ASGI server: without what live.servers.daphne adds."""

from __future__ import annotations

from live import servers
from live.asgi import application  # noqa: F401
from live.servers.asgi import ASGIServer

servers.detect = ASGIServer

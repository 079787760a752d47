"""An ASGI application that tells how `live` sees the server: through a socket, and in the log."""

from __future__ import annotations

import asyncio
from typing import Any

import django
from channels.sessions import SessionMiddlewareStack

django.setup()

from live.routing import ServerMiddleware  # noqa: E402
from live.servers.base import transport_of  # noqa: E402

__all__ = ["application", "bare"]


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Log the type of the scope, and a cancellation; /healthz/ is answered, other requests hang."""
    print(f"scope {scope['type']}", flush=True)  # noqa: T201
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": type(transport_of(scope)).__name__})
        await send({"type": "websocket.close", "code": 1000})
    elif scope["type"] == "http":
        try:
            if scope["path"] != "/healthz/":
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("request cancelled", flush=True)  # noqa: T201
            raise
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
    else:
        raise NotImplementedError(scope["type"])


#: With a middleware in between that wraps `send`.
application = ServerMiddleware(SessionMiddlewareStack(ServerMiddleware(bare)))  # type: ignore[arg-type]

"""A project's HTTP and the socket of the rankings, for an ASGI server.

A project's asgi.py sets DJANGO_SETTINGS_MODULE and has `from live.asgi import application`. One that routes
other sockets too takes `websocket_application` from live.routing into its own ProtocolTypeRouter, and puts
DrainingMiddleware from live.draining around its "http".
"""

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

# Before anything that imports models.
http = get_asgi_application()

from live.draining import DrainingMiddleware  # noqa: E402
from live.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter({"http": DrainingMiddleware(http), "websocket": websocket_application})

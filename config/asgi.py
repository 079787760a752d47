"""The ASGI application: HTTP to Django, WebSockets to the consumers of `live`."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.sessions import SessionMiddlewareStack
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Before anything that imports models.
http = get_asgi_application()

from live.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": http,
        # The consumers decide on origin and login themselves: a refused handshake looks like a network
        # fault to a browser, which then retries for ever. See docs/protocol.md.
        "websocket": SessionMiddlewareStack(URLRouter(websocket_urlpatterns)),
    }
)

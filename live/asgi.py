"""The ASGI application of a project that has no other WebSockets.

The project's asgi.py sets DJANGO_SETTINGS_MODULE and has `from live.asgi import application`. A project with
other WebSockets puts `websocket_application` from live.routing into its own ProtocolTypeRouter, and
`ServerMiddleware`, also from there, around its "http".
"""

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

# Before the imports below, because they import models.
http = get_asgi_application()

from live.history import clock as history_clock  # noqa: E402
from live.routing import ServerMiddleware, websocket_application  # noqa: E402

application = ProtocolTypeRouter({"http": ServerMiddleware(http), "websocket": websocket_application})
# With the process, not with the first request: every minute is recorded, watched or not.
history_clock.start()

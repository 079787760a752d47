"""django-eventstream on Daphne, with one send_event for each ranking that changed.

It is set up as in https://github.com/fanout/django-eventstream, without storage, Redis and Pushpin, which
serve several processes.
"""

from __future__ import annotations

from django.conf import settings

settings.configure(
    SECRET_KEY="only-for-the-benchmark",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "daphne",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django_eventstream",
    ],
)

from django.core.asgi import get_asgi_application  # noqa: E402

application = get_asgi_application()

import django_eventstream  # noqa: E402
from django.urls import include, path  # noqa: E402

from benchmarks.peers import feed  # noqa: E402
from benchmarks.peers.page import page  # noqa: E402

urlpatterns = [
    path("", page("new EventSource('/events/').addEventListener('message', show);")),
    path("events/", include("django_eventstream.urls"), {"channels": ["rankings"]}),
]


def publish(text: str) -> None:
    django_eventstream.send_event("rankings", "message", text, json_encode=False)


feed.start(publish)

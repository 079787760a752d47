"""The programs that the tests run, and the URL of their databases."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from benchmarks.ports import free_port
from benchmarks.processes import (
    CHROMIUM,
    DAPHNE,
    DEADLINE_SECONDS,
    ROOT,
    UVICORN,
    Server,
    answers,
    daphne,
    serve,
    uvicorn,
    wait_until,
)

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

__all__ = [
    "CHROMIUM",
    "DAPHNE",
    "DEADLINE_SECONDS",
    "NGINX",
    "QUICK",
    "ROOT",
    "UVICORN",
    "Server",
    "answers",
    "changed",
    "daphne",
    "database_url",
    "free_port",
    "serve",
    "uvicorn",
    "wait_until",
]

#: The path of nginx; None where it isn't installed. Debian puts it into /usr/sbin, which isn't on every PATH.
NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


#: Tests change a ranking as soon as they have seen the last change, and don't wait a second for each.
QUICK = {"LIVE_UPDATE_SECONDS": 0.25}


def changed(**settings: object) -> dict[str, str]:
    """Return the environment in which a server has these settings. Their values must be JSON's."""
    changes = json.dumps(QUICK | settings)
    return {"DJANGO_SETTINGS_MODULE": "tests.changed_settings", "CHANGED_SETTINGS": changes}


def database_url(connection: BaseDatabaseWrapper) -> str:
    """Return the URL of the database that `connection` uses: in a test, the test database."""
    settings = connection.settings_dict
    options = {name: value for name, value in settings["OPTIONS"].items() if name != "implicit_flush"}
    user = ":".join(quote(settings[part]) for part in ("USER", "PASSWORD") if settings[part])
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    return f"postgres://{user}@{settings['HOST']}{port}/{settings['NAME']}?{urlencode(options)}"

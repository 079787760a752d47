"""What Django's runtests.py runs with; the environment says with which engine, and on which server."""

import os
from typing import Any

from psycopg2.extensions import parse_dsn

ENGINE = os.environ["CONFORMANCE_ENGINE"]

_server = parse_dsn(os.environ["CONFORMANCE_URL"])


def _database(name: str) -> dict[str, Any]:
    # Named after the engine, so that neither finds what the other left.
    name = f"conformance_{name}_{ENGINE.replace('.', '_')}"
    return {
        "ENGINE": ENGINE,
        "NAME": name,
        "USER": _server.get("user", ""),
        "PASSWORD": _server.get("password", ""),
        "HOST": _server.get("host", ""),
        "PORT": _server.get("port", ""),
        "TEST": {"NAME": name},
    }


DATABASES = {"default": _database("default"), "other": _database("other")}
TEST_RUNNER = "tests.conformance.runner.RecordingRunner"

# As in Django's own tests/test_sqlite.py.
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False

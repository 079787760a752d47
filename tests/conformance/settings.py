"""Settings for Django's runtests.py; the environment gives the backend and the server."""

import os
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import django

ENGINE = os.environ["CONFORMANCE_ENGINE"]

_url = urlsplit(os.environ["CONFORMANCE_URL"])


def _database(name: str) -> dict[str, Any]:
    # The name has the backend in it, so that neither finds the other's leftovers, and the number of the
    # parallel run.
    name = f"conformance_{name}_{ENGINE.rpartition('.')[2]}_{os.environ['CONFORMANCE_SLOT']}"
    return {
        "ENGINE": ENGINE,
        "NAME": name,
        "USER": unquote(_url.username or ""),
        "PASSWORD": unquote(_url.password or ""),
        # The folder of a socket is a parameter of the URL: https://www.postgresql.org/docs/18/libpq-connect.html
        "HOST": parse_qs(_url.query).get("host", [_url.hostname or ""])[0],
        "PORT": _url.port or "",
        "TEST": {"NAME": name},
    }


DATABASES = {"default": _database("default"), "other": _database("other")}
TEST_RUNNER = "tests.conformance.runner.RecordingRunner"

# As in Django's own tests/test_sqlite.py.
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if django.VERSION < (6, 0):
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False

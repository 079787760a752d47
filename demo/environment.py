"""The environment of the site: how the demo tells config.settings where its databases are."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from demo import folder, postgres
from demo.configuration import url_host
from demo.errors import DemoError

if TYPE_CHECKING:
    from demo.configuration import Configuration

SHOP = "demo.shop"
#: `manage.py check --deploy` warns of a key that begins so: it is in a file of the demo.
#: https://docs.djangoproject.com/en/5.2/ref/checks/#security
INSECURE = "django-insecure-demo-"
#: What manage.py needs beside the demo. LIVE_OPEN and ALLOWED_HOSTS are left out: a server that is started
#: in the same checkout must not be open to everybody because a demo once ran there.
FILE_VARIABLES = ("SECRET_KEY", "DATABASE_URL", "RISINGWAVE_URL", "EXTRA_APPS")
FILE_HEADER = "# Written by `make demo` at each start. config/settings.py reads it; see docs/settings.md.\n"


def set_environment(configuration: Configuration) -> None:
    """Set the variables of config.settings for this process and its children; keep what the user has set."""
    hosts = ["localhost", "127.0.0.1", "[::1]"]
    if not (configuration.is_loopback or configuration.is_wildcard):
        hosts.append(url_host(configuration.host))
    defaults = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": postgres.url("dashboard"),
        "RISINGWAVE_URL": postgres.url("risingwave"),
        "SECRET_KEY": secret_key(),
        "STATIC_ROOT": str(folder.STATIC),
        "ALLOWED_HOSTS": ",".join(hosts),
        # On loopback, everybody who can connect already uses this machine.
        "LIVE_OPEN": "true" if configuration.is_loopback else "false",
    }
    os.environ.update({name: value for name, value in defaults.items() if not os.environ.get(name)})
    extra_apps = [app for app in os.environ.get("EXTRA_APPS", "").split(",") if app not in ("", SHOP)]
    os.environ["EXTRA_APPS"] = ",".join(extra_apps if configuration.is_board else [*extra_apps, SHOP])
    # The file of this demo, never that of another one in the default folder.
    os.environ["ENVIRONMENT_FILE"] = str(folder.ENVIRONMENT)


def write_environment_file() -> None:
    """Write the variables that manage.py needs beside the demo. Raises DemoError for a multi-line value."""
    lines = [f"{name}={quote(name, os.environ[name])}\n" for name in FILE_VARIABLES]
    folder.write_secret(folder.ENVIRONMENT, FILE_HEADER + "".join(lines))


def secret_key() -> str:
    """Return the demo's secret key; make one the first time, and in place of one of an earlier version."""
    key = folder.read_secret(folder.SECRET_KEY)
    if not key or not key.startswith(INSECURE):
        key = INSECURE + secrets.token_urlsafe(50)
        folder.write_secret(folder.SECRET_KEY, key)
    return key


def quote(name: str, value: str) -> str:
    """Quote a value for Env.read_env.

    https://django-environ.readthedocs.io/en/latest/quickstart.html
    """
    if value.splitlines() not in ([value], []):
        raise DemoError(f"{name} must be a single line.")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

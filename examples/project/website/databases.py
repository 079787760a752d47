"""Where the databases are: where the environment says, or else in an embedded PostgreSQL."""

import atexit
import os
from pathlib import Path

from django_risingwave import embedded

FOLDER = Path(__file__).resolve().parent.parent / "postgres"


def address(prefix: str, name: str) -> dict[str, str]:
    """Return the settings of a database: from variables such as DATABASE_HOST, if that is set."""
    if f"{prefix}_HOST" in os.environ:
        keys = ("HOST", "PORT", "USER", "PASSWORD", "NAME")
        return {key: os.environ.get(f"{prefix}_{key}", "") for key in keys}
    start_embedded()
    return {"HOST": embedded.socket_folder(FOLDER), "USER": embedded.USER, "NAME": name}


def start_embedded() -> None:
    """Start the embedded PostgreSQL. The process that has started it stops it."""
    if not embedded.is_running(FOLDER):
        server = embedded.start(FOLDER, ["shop", "risingwave"])
        atexit.register(server.stop)

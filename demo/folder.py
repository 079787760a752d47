"""What `make demo` keeps between its runs, in .demo: data, lock, secret key and the demo's login."""

from __future__ import annotations

import os
from pathlib import Path

DEMO_DIR = Path(os.environ.get("DEMO_DIR") or Path(__file__).resolve().parent.parent / ".demo").resolve()

POSTGRES = DEMO_DIR / "postgres"
STATIC = DEMO_DIR / "static"
STATIC_FINGERPRINT = DEMO_DIR / "static.fingerprint"
SECRET_KEY = DEMO_DIR / "secret_key"
PASSWORD = DEMO_DIR / "password"
LOCK = DEMO_DIR / "lock"


def read_secret(path: Path) -> str | None:
    """Read what write_secret wrote; None if it never did."""
    try:
        return path.read_text(encoding="utf-8") or None
    except FileNotFoundError:
        return None


def write_secret(path: Path, secret: str) -> None:
    """Write a file that only its owner can read, from its first moment on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(secret)

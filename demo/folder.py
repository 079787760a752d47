"""The folder where `make demo` keeps its data between runs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

DEMO_DIR = Path(os.environ.get("DEMO_DIR") or Path(__file__).resolve().parent.parent / ".demo").resolve()

POSTGRES = DEMO_DIR / "postgres"
STATIC = DEMO_DIR / "static"
STATIC_FINGERPRINT = DEMO_DIR / "static.fingerprint"
ENVIRONMENT = DEMO_DIR / "environment"
SECRET_KEY = DEMO_DIR / "secret_key"
PASSWORD = DEMO_DIR / "password"
LOCK = DEMO_DIR / "lock"


def read_secret(path: Path) -> str | None:
    """Return what write_secret wrote, or None if there is nothing yet."""
    try:
        return path.read_text(encoding="utf-8") or None
    except FileNotFoundError:
        return None


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read. Readers see the old text or the new, never a part."""
    # Created with mode 0600: https://docs.python.org/3/library/tempfile.html#tempfile.mkstemp
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

"""The files in data/, which data/README.md describes."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).parent / "data"


def unrecorded() -> list[str]:
    """Return the statements that the backend sends and that no transcript has, each a line of the file."""
    lines = (DATA / "unrecorded.sql").read_text(encoding="utf-8").splitlines()
    return [line.rstrip(";") for line in lines if line and not line.startswith("--")]

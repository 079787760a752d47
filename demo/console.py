from __future__ import annotations

import sys


def say(text: str) -> None:
    """Print a line, at once: the output may be a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()

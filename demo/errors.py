from __future__ import annotations


class DemoError(Exception):
    """The demo can't go on. The message says what is wrong and what to do."""

"""Rows that leave a materialized view as time passes."""

from __future__ import annotations

import time

from django_risingwave.connections import get_connection


def expire(using: str | None = None, *, seconds: float = 0) -> bool:
    """On the stand-in, let the rows leave that temporal filters leave out by now; RisingWave does by itself.

    A ChangeListener does this each second. Call it before reading views with a temporal filter where none
    listens: otherwise they compute their SELECT. Where many rows have to leave, it goes on for at most
    `seconds`. Return False if there is more to do then. Raises django.db.Error.
    """
    standin = get_connection(using).standin
    until = time.monotonic() + seconds
    while standin is not None and not standin.expire():
        if time.monotonic() >= until:
            return False
    return True

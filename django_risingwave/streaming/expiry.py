"""Rows that leave a materialized view as time passes."""

from __future__ import annotations

from django_risingwave.connections import get_connection


def expire(using: str | None = None) -> bool:
    """On the stand-in, let the rows leave that temporal filters leave out by now; RisingWave does by itself.

    A ChangeListener does this each second. Call it before reading views with a temporal filter where none
    listens: otherwise they compute their SELECT. Return False if there is more to do. Raises django.db.Error.
    """
    standin = get_connection(using).standin
    return standin is None or standin.expire()

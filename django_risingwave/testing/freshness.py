"""Waiting until what a test has written can be read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import connections
from django.db.models import Model, QuerySet

from django_risingwave.routers import VENDOR
from django_risingwave.streaming.mirrors import wait_until_mirrored

if TYPE_CHECKING:
    from collections.abc import Iterator

M = TypeVar("M", bound=Model)

#: Seconds between two looks. A checkpoint of RisingWave takes a second, a row on its way to a mirror less.
_POLL_SECONDS = 0.05
#: How many of the rows an error shows.
_SHOWN_ROWS = 10


def fresh(rows: type[M] | QuerySet[M], /, *, seconds: float = 10, **lookups: Any) -> QuerySet[M]:
    """Wait until what has been written can be read, and until a row matches the lookups. Return such rows.

    `rows` is a model or a queryset. On the stand-in, the mirrors have all that is committed then. On
    RisingWave, FLUSH waits for the writes of this process; what arrives otherwise, such as the rows of a
    mirror or of a Kafka topic, needs lookups to be waited for:

        turnover = fresh(ProductTurnover, item=1, turnover=30).get()

    Raises AssertionError, with the rows that there are, if none matches within `seconds`, and TimeoutError if
    the mirrors on the stand-in need longer.
    """
    queryset = rows if isinstance(rows, QuerySet) else rows._default_manager.all()
    found = queryset.filter(**lookups)
    if connections[queryset.db].vendor == VENDOR:
        wait_until_mirrored(queryset.db, seconds)
    for _ in _until(seconds):
        if not lookups or found.all().exists():
            return found.all()
    raise AssertionError(_missing(queryset, lookups, seconds))


def _until(seconds: float) -> Iterator[None]:
    """Yield at once, then at intervals, and a last time when the seconds are over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(_POLL_SECONDS)
    yield


def _missing(queryset: QuerySet[Any], lookups: dict[str, Any], seconds: float) -> str:
    wanted = ", ".join(f"{name}={value!r}" for name, value in lookups.items())
    shown = list(queryset.all().values()[: _SHOWN_ROWS + 1])
    lines = [f"{queryset.model.__name__} has no row with {wanted} after {seconds:g} s."]
    lines.append("Its rows:" if shown else "It has no rows.")
    lines += [f"  {row}" for row in shown[:_SHOWN_ROWS]]
    if len(shown) > _SHOWN_ROWS:
        lines.append("  …")
    return "\n".join(lines)

"""Records for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from live.models import Record
from live.rankings import RANKINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

STATES = RANKINGS["states-by-turnover"]
#: The minute that the tests take for the current one.
NOW = datetime(2026, 11, 27, 12, 7, tzinfo=UTC)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def keep(at: datetime, rows: Iterable[tuple[Any, float | None]] | None, ranking: str = STATES.id) -> None:
    """Write a record; rows of None leave a gap."""
    flat = None if rows is None else [*chain.from_iterable(rows)]
    Record.objects.create(ranking=ranking, at=at, rows=flat, keys=3, total=100.0)

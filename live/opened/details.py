"""What an app knows of a key: the table on the key's page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db import router
from django.utils import translation
from django.utils.translation import get_language

from live.feeding.sources import finite
from live.opened.sessions import ask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from live.rankings import Ranking

#: Rows of an app's table that a key's page shows.
MAX_DETAILS = 100


@dataclass(frozen=True)
class Cell:
    """A cell of an app's table."""

    value: Any

    @property
    def is_number(self) -> bool:
        return isinstance(self.value, int | float | Decimal)

    @property
    def moment(self) -> datetime | None:
        return self.value if isinstance(self.value, datetime) else None


@dataclass(frozen=True)
class Details:
    """What the page shows of KeyDetails."""

    title: str
    #: Each heading, and whether its column has numbers.
    columns: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[Cell]]


async def find_details(ranking: Ranking, key: Any) -> Details | None:
    """Return what a ranking's app knows of a key; None if it doesn't know the key. Raises NoDataError."""
    details, language = ranking.details, get_language()
    if details is None:
        return None

    def look_up() -> Details | None:
        # In a thread, where a QuerySet may be read, and which has no language yet.
        with translation.override(language):
            known = details(key)
            if known is None:
                return None
            rows = [[Cell(_shown(value)) for value in row] for row in islice(known.rows, MAX_DETAILS)]
            columns = [
                (str(column), bool(rows) and rows[0][position].is_number)
                for position, column in enumerate(known.columns)
            ]
            return Details(str(known.title), columns, rows)

    return await ask(router.db_for_read(ranking.model), look_up)


def _shown(value: Any) -> Any:
    """Return a value; None for a number that isn't finite, which Django's templates can't write."""
    return None if isinstance(value, float | Decimal) and finite(value) is None else value

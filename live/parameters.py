"""What a request asks for, from its query string; the same for HTTP and WebSocket."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from live.rankings import RANKINGS, Ranking, select

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import QueryDict


class ParameterError(ValueError):
    """A parameter is malformed; the message says which, and what would be right."""


def check_known(query: QueryDict, known: Iterable[str]) -> None:
    """Refuse a parameter that isn't one: a mistyped one must not be ignored. Raises ParameterError."""
    for name in query:
        if name not in set(known):
            raise ParameterError(f"unknown parameter {name[:60]!r}; there are: {', '.join(known) or 'none'}")


def one_of(query: QueryDict, name: str, choices: tuple[str, ...]) -> str:
    """The parameter's value, the first choice if it isn't there. Raises ParameterError."""
    value = query.get(name, choices[0])
    if value not in choices:
        raise ParameterError(f"{name}={value[:60]!r} is none of: {', '.join(choices)}")
    return value


def etags(query: QueryDict, name: str, most: int) -> frozenset[str]:
    """The etags in a parameter, by commas, no more than `most`. Raises ParameterError."""
    values = query.get(name, "").split(",") if query.get(name) else []
    if len(values) > most or not all(re.fullmatch(r"[0-9a-f]{16}", value) for value in values):
        raise ParameterError(f"{name} is to be up to {most} etags, by commas, as rankings carry them")
    return frozenset(values)


def rankings(query: QueryDict) -> list[Ranking]:
    """The rankings named in `rankings`, by commas; all of them where it isn't there.

    Raises ParameterError if it is empty, UnknownRankingError.
    """
    value = query.get("rankings")
    if value is None:
        return list(RANKINGS.values())
    if not value.strip(" ,"):
        raise ParameterError(
            f"rankings is empty; leave it out for all, or name some of: {', '.join(RANKINGS)}"
        )
    return select(slug.strip() for slug in value.split(",") if slug.strip())

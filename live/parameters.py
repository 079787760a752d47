"""The query string of a request, read and checked; the same for HTTP and WebSocket."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from live.formats import quoted
from live.rankings import RANKINGS, Ranking, select

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from django.http import QueryDict


class ParameterError(ValueError):
    """A parameter is unknown or malformed; the message says which one, and what is allowed."""


def check_known(query: QueryDict, known: Collection[str]) -> None:
    """Refuse parameters that aren't known, rather than ignore a mistyped one. Raises ParameterError."""
    for name in query:
        if name not in known:
            allowed = f"Use only: {', '.join(known)}." if known else "No parameters are allowed here."
            raise ParameterError(f"Unknown parameter {quoted(name)}. {allowed}")


def one_of(query: QueryDict, name: str, choices: Sequence[str]) -> str:
    """Return the parameter's value, or the first choice if it is missing. Raises ParameterError."""
    value = query.get(name, choices[0])
    if value not in choices:
        raise ParameterError(f"{name} must be one of {', '.join(choices)}, not {quoted(value)}.")
    return value


def etags(query: QueryDict, name: str, max_count: int) -> frozenset[str]:
    """Return the comma-separated etags of a parameter, none if it is missing. Raises ParameterError."""
    value = query.get(name, "")
    values = value.split(",") if value else []
    if len(values) > max_count or not all(re.fullmatch(r"[0-9a-f]{16}", etag) for etag in values):
        raise ParameterError(
            f"{name} must be at most {max_count} comma-separated etags, not {quoted(value)}."
        )
    return frozenset(values)


def rankings(query: QueryDict) -> list[Ranking]:
    """Return the rankings named by the parameter `rankings`, or all of them if it is missing.

    Raises ParameterError if it is empty, UnknownRankingError.
    """
    value = query.get("rankings")
    if value is None:
        return list(RANKINGS.values())
    if not value.strip(" ,"):
        raise ParameterError(
            f"rankings must not be empty. Leave it out to get all, or choose from: {', '.join(RANKINGS)}."
        )
    return select(slug.strip() for slug in value.split(",") if slug.strip())

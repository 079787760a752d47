"""Parts of SQL texts for PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django_risingwave.streaming.identifiers import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_NAME_BYTES", "join", "literal", "quote"]

#: PostgreSQL cuts longer names. https://www.postgresql.org/docs/18/limits.html
MAX_NAME_BYTES = 63


def literal(text: str) -> str:
    """Return a text as a string constant."""
    return "'{}'".format(text.replace("'", "''"))


def join(parts: Iterable[object]) -> str:
    """Return the parts with commas between them."""
    return ", ".join(map(str, parts))

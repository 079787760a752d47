"""The keys of a ranking in URLs, and what an app knows of one key: docs/rankings.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder

from live.formats import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import Field
    from django.utils.functional import _StrOrPromise

#: The parameter of a URL that has a key.
PARAMETER = "key"
#: Characters of a key in a URL, as JSON. Servers take URLs of 8,000 characters.
MAX_CHARACTERS = 1_000


class UnknownKeyError(LookupError):
    """No ranking of the kind has this key, and its app doesn't know it."""

    def __init__(self, slug: str, name: str) -> None:
        super().__init__(f"Ranking {slug} has no key {quoted(name)}.")


@dataclass(frozen=True)
class KeyDetails:
    """A table about one key, such as the latest orders of a state."""

    #: Its heading: "Latest orders".
    title: _StrOrPromise
    #: The headings of its columns.
    columns: Sequence[_StrOrPromise]
    #: A value for each column, as the page shows it: numbers and dates in the viewer's language, None as "–".
    rows: Sequence[Sequence[Any]]


def key_query(key: Any) -> str:
    """Return the query string of the page of a key: `key=%22Ohio%22`.

    It has the key's JSON, which tells None from "" and 1 from "1". In a path, keys such as "", ".." and "a/b"
    would be lost.
    """
    text = json.dumps(key, separators=(",", ":"), ensure_ascii=False, cls=DjangoJSONEncoder)
    return urlencode({PARAMETER: text})


def parse_key(text: str | None, field: Field[Any, Any] | None = None) -> Any:
    """Return the key that key_query() has written, as a value of the field if it is given.

    Raises ValueError.
    """
    try:
        return _parsed(text or "", field)
    except (ValueError, TypeError, ArithmeticError, RecursionError, ValidationError):
        raise ValueError(
            f'{PARAMETER} must be a key of the ranking as JSON, such as "Ohio" or 17, with at most '
            f"{MAX_CHARACTERS:,} characters, not {quoted(text or '')}."
        ) from None


def _parsed(text: str, field: Field[Any, Any] | None) -> Any:
    key = json.loads(text[: MAX_CHARACTERS + 1], parse_constant=_refuse)
    if len(text) > MAX_CHARACTERS:
        raise ValueError
    # No database stores a NUL or a lone surrogate in a text.
    if isinstance(key, str) and b"\0" in key.encode():
        raise ValueError
    parsed = key if field is None else field.to_python(key)
    if isinstance(key, bool | list | dict) and not isinstance(parsed, type(key)):
        # Fields of texts and numbers take true for "True" and 1.
        raise TypeError
    return parsed


def _refuse(constant: str) -> None:
    raise ValueError(constant)

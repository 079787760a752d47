"""The keys of a ranking in URLs, and what an app knows of one key: docs/rankings.md."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext_noop as _

from live.errors import ParameterError, RequestError
from live.formats import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import Field
    from django.utils.functional import _StrOrPromise

#: The parameter of a URL that has a key.
PARAMETER = "key"
#: Characters of a key in a URL, as JSON. Servers take URLs of 8,000 characters.
MAX_CHARACTERS = 1_000


class UnknownKeyError(RequestError, LookupError):
    """No ranking of the kind has this key, and its app doesn't know it."""

    def __init__(self, slug: str, name: str) -> None:
        super().__init__(_("Ranking %(slug)s has no key %(name)s."), slug=slug, name=quoted(name))


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
    return urlencode({PARAMETER: _written(key)})


def _written(key: Any) -> str:
    return json.dumps(key, separators=(",", ":"), ensure_ascii=False, cls=DjangoJSONEncoder)


def parse_key(text: str | None, field: Field[Any, Any] | None = None) -> Any:
    """Return the key that key_query() has written, as the rows have it, given the field of the key if any.

    Raises ParameterError for what isn't a key, and LookupError for what the field would take for another
    key: 1.5 for 1, "1" for 1.
    """
    try:
        key = _loaded(text or "")
        parsed = key if field is None else _as_value(key, field)
        is_same = _is_same(parsed, key)
    except (ValueError, TypeError, ArithmeticError, RecursionError, ValidationError):
        raise ParameterError(
            _(
                'key must be a key of the ranking as JSON, such as "Ohio" or 17, with at most %(most)s'
                " characters, not %(key)s."
            ),
            most=MAX_CHARACTERS,
            key=quoted(text or ""),
        ) from None
    if not is_same:
        raise LookupError(text)
    return parsed


def _loaded(text: str) -> Any:
    key = json.loads(text[: MAX_CHARACTERS + 1], parse_constant=_refuse)
    # No database stores a NUL or a lone surrogate in a text.
    if len(text) > MAX_CHARACTERS or (isinstance(key, str) and b"\0" in key.encode()):
        raise ValueError
    return key


def _as_value(key: Any, field: Field[Any, Any]) -> Any:
    value = field.to_python(key)
    if isinstance(key, bool | list | dict) and not isinstance(value, type(key)):
        # Fields of texts and numbers take true for "True" and 1.
        raise TypeError
    # JSON has no such numbers, so the rows have them as texts.
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _is_same(parsed: Any, key: Any) -> bool:
    """Return whether a field's value is the one that was written: JSON doesn't tell 1 from 1.0."""
    are_numbers = all(isinstance(it, int | float) and not isinstance(it, bool) for it in (parsed, key))
    return bool(parsed == key) if are_numbers else _written(parsed) == _written(key)

"""Limits that a ranking's values may pass. live/alerts/ judges them."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext

from live.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from django.utils.functional import _StrOrPromise

#: How far a value must be back inside a limit that doesn't say so, as a part of the limit. A value that
#: wavers around a limit would cross it again and again.
CLEAR_PART: Final = 0.05
#: Characters of a threshold's name. Longer ones end in a hash.
MAX_NAME_CHARACTERS: Final = 200


class Keys(Enum):
    """Which rows a threshold is about."""

    EACH = "each"


#: The threshold is about each of the leading rows.
EACH: Final = Keys.EACH


@dataclass(frozen=True)
class Threshold:
    """A limit of a ranking's values; exactly one of `above` and `below` is set.

    It is crossed when a value is beyond it, and left again when the value is back at `clear` or further
    inside. Raises ImproperlyConfigured.
    """

    above: float | None = None
    below: float | None = None
    #: The key of one row, or each of the leading rows.
    key: Any = EACH
    #: A row's value, or the sum of all values of the ranking.
    of: Literal["row", "total"] = "row"
    #: By default 5 % of the limit inside it.
    clear: float | None = None
    #: What the crossing means: "a good day". By default "above $500,000".
    title: _StrOrPromise = ""
    #: The window of the ranking that is judged.
    window: Window = Window.ALL

    def __post_init__(self) -> None:
        if (self.above is None) == (self.below is None):
            raise ImproperlyConfigured(
                f"A threshold must have either `above` or `below`, not {self.above!r} and {self.below!r}."
            )
        if self.of not in ("row", "total"):
            raise ImproperlyConfigured(f'A threshold must be of "row" or "total", not {self.of!r}.')
        if self.of == "total" and self.key is not EACH:
            raise ImproperlyConfigured(f"A threshold of the total can't have a key, such as {self.key!r}.")
        for number in (self.limit, self.cleared_at):
            if not math.isfinite(number):
                raise ImproperlyConfigured(f"A threshold must be a finite number, not {number!r}.")
        if self.clear is not None and self.is_beyond(self.clear):
            raise ImproperlyConfigured(
                f"`clear` must be inside the threshold, which is {'above' if self.is_upper else 'below'}"
                f" {self.limit!r}, not {self.clear!r}."
            )

    @property
    def is_upper(self) -> bool:
        """Whether values above the limit are beyond it."""
        return self.above is not None

    @property
    def limit(self) -> float:
        """The limit, which isn't itself beyond it."""
        return self.above if self.above is not None else self.below or 0.0

    @property
    def cleared_at(self) -> float:
        """The value at which a crossing ends."""
        if self.clear is not None:
            return self.clear
        margin = abs(self.limit) * CLEAR_PART
        return self.limit - margin if self.is_upper else self.limit + margin

    def is_beyond(self, value: float) -> bool:
        """Return whether a value has passed the limit."""
        return value > self.limit if self.is_upper else value < self.limit

    def is_clear(self, value: float) -> bool:
        """Return whether a value is so far inside that a crossing ends."""
        return value <= self.cleared_at if self.is_upper else value >= self.cleared_at

    @property
    def name(self) -> str:
        """Tells the threshold from others of its ranking, in every process and after a restart."""
        of = self.of if self.key is EACH else f"{self.of} {self.key!r}"
        text = f"{of} {'above' if self.is_upper else 'below'} {float(self.limit)!r}"
        if len(text) <= MAX_NAME_CHARACTERS:
            return text
        return text[: MAX_NAME_CHARACTERS - 16] + hashlib.sha256(text.encode()).hexdigest()[:16]

    def text(self, displayed: Callable[[float], str]) -> str:
        """Return the title, or the limit as people read it, in the active language: "above $500,000"."""
        if self.title:
            return str(self.title)
        pattern = gettext("above %(limit)s") if self.is_upper else gettext("below %(limit)s")
        return pattern % {"limit": displayed(self.limit)}


@dataclass(frozen=True)
class Alert:
    """A threshold that is crossed."""

    #: Names the crossing: the primary key of its row in the database.
    id: int
    threshold: Threshold
    #: The key as key_text() writes it; "" if the threshold is of the total.
    key: str
    since: datetime
    #: The value that crossed it.
    value: float

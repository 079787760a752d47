from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from django import template

from live import formats, frames

if TYPE_CHECKING:
    from datetime import datetime

register = template.Library()


@register.filter
def age(moment: datetime) -> str:
    """How long ago: "2 s ago"."""
    return formats.age(moment)


@register.filter
def isoformat(moment: datetime) -> str:
    """The moment for a <time>: 2026-11-23T15:04:05.678Z."""
    return frames.isoformat(moment)


@register.filter
def element_id(key: Any) -> str:
    """A key of any kind as part of an element's id: letters and digits only, the same each time."""
    return hashlib.sha256(repr(key).encode()).hexdigest()[:10]

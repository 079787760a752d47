"""The spans of time that a ranking can be restricted to."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class Window(StrEnum):
    """The values of `?window=`."""

    QUARTER_HOUR = "15m"
    HOUR = "1h"
    #: The day of the site's time zone.
    TODAY = "today"
    WEEK = "7d"
    ALL = "all"

    @property
    def label(self) -> _StrPromise:
        """A short name for viewers."""
        return _LABELS[self]

    @property
    def span(self) -> timedelta | None:
        """How far the window reaches back; None if that isn't always the same."""
        return _SPANS.get(self)

    @property
    def compared_with(self) -> timedelta:
        """How long before now the places are that movement is told from."""
        return self.span or timedelta(hours=1)


_LABELS = {
    Window.QUARTER_HOUR: _("15 min"),
    Window.HOUR: _("1 h"),
    Window.TODAY: _("Today"),
    Window.WEEK: _("7 days"),
    Window.ALL: _("All"),
}
_SPANS = {
    Window.QUARTER_HOUR: timedelta(minutes=15),
    Window.HOUR: timedelta(hours=1),
    Window.WEEK: timedelta(days=7),
}

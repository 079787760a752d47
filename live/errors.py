"""What clients ask for in vain: programs are told in English, viewers in their language."""

from __future__ import annotations

from django.utils.translation import gettext


class RequestError(Exception):
    """A client asks for something that there isn't; its str() is in English.

    `text` is marked by gettext_noop() where viewers may read it, and has the values as %(name)s.
    """

    def __init__(self, text: str, **values: object) -> None:
        super().__init__(text % values)
        self._text = text
        self._values = values

    @property
    def translated(self) -> str:
        """The text in the active language."""
        return gettext(self._text) % self._values


class ParameterError(RequestError, ValueError):
    """A parameter is unknown or malformed; the message says which one, and what is allowed."""

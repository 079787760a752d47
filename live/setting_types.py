"""The types of settings: what a project may set one to."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any, ClassVar, Generic, Self, TypeVar, overload
from urllib.parse import urlsplit

from django.conf import settings

Value = TypeVar("Value")

PREFIX = "LIVE_"


class Setting(Generic[Value]):
    """A setting with its default. As an attribute of `live_settings` it is the project's value."""

    #: What a value must be: completes the sentence "LIVE_X must be …".
    allowed: ClassVar[str]
    #: Whether messages must not contain a value.
    is_secret: ClassVar[bool] = False

    def __init__(self, default: Value, unit: str) -> None:
        self.default = default
        self.unit = unit

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = f"{PREFIX}{name}"

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...
    def __get__(self, instance: object | None, owner: type) -> Self | Value:
        return self if instance is None else self.value

    @property
    def value(self) -> Value:
        """The project's value, or the default. It isn't checked here."""
        value: Value = getattr(settings, self.name, self.default)
        return value

    def is_valid(self, value: Any) -> bool:
        """Return whether a project may set it to this value."""
        raise NotImplementedError


class Flag(Setting[bool]):
    """Yes or no."""

    allowed = "True or False"

    def is_valid(self, value: Any) -> bool:
        return isinstance(value, bool)


class Seconds(Setting[float]):
    """A span of time."""

    allowed = "a positive number"

    def __init__(self, default: float) -> None:
        super().__init__(default, "seconds")

    def is_valid(self, value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value) and value > 0


class Count(Setting[int]):
    """How many of something."""

    allowed = "a whole number, 0 or more"

    def is_valid(self, value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0


class Sources(Setting[Sequence[str]]):
    """Sources of a directive of a Content-Security-Policy."""

    allowed = "a list of sources, each without spaces, commas and semicolons"

    def is_valid(self, value: Any) -> bool:
        # A semicolon or a comma would begin another directive or policy.
        return isinstance(value, list | tuple) and all(
            isinstance(source, str) and re.fullmatch(r"[^\s,;]+", source) for source in value
        )


class Networks(Setting[Sequence[str]]):
    """Networks of IP addresses."""

    allowed = "a list of IP addresses or networks"

    def is_valid(self, value: Any) -> bool:
        return isinstance(value, list | tuple) and all(_is_network(network) for network in value)


def _is_network(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(ip_network(value))
    except ValueError:
        return False


class WebhookURL(Setting[str]):
    """Where a webhook is posted to. The value is never shown: it may have a token in it."""

    allowed = "an https URL, or an http URL of this machine, without a user and a password"
    is_secret = True

    def is_valid(self, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        try:
            url = urlsplit(value)
            has_port = url.port != 0
        except ValueError:
            return False
        if not value:
            return True
        is_safe = url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.hostname or ""))
        is_printable = not re.search(r"[^!-~]", value)
        return bool(url.hostname) and has_port and is_safe and is_printable and "@" not in url.netloc


class Secret(Setting[str]):
    """A text that is never shown."""

    allowed = "a text"
    is_secret = True

    def is_valid(self, value: Any) -> bool:
        return isinstance(value, str)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

"""What the environment asks of `make demo`. docs/settings.md describes the variables."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

TRUE, FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class DemoError(Exception):
    """Foreseeable trouble: the text says what is wrong and what would be right."""


@dataclass(frozen=True)
class Options:
    """The variables, read and checked."""

    host: str
    port: int
    #: Order lines a second, 0 for none.
    generate_rate: float
    reset: bool
    #: Unless both DATABASE_URL and RISINGWAVE_URL are given.
    needs_standin: bool

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Options:
        """Read the options; a variable that is empty counts as not given. Raises DemoError for nonsense."""
        urls = {name: environ[name] for name in ("DATABASE_URL", "RISINGWAVE_URL") if environ.get(name)}
        for name, url in urls.items():
            check_url(name, url)
        reset = read_flag("RESET", environ.get("RESET", ""))
        if reset and urls:
            raise DemoError(
                f"RESET=1 is for the demo's own PostgreSQL; {' and '.join(urls)} may be anybody's. "
                "Leave out RESET, and empty those yourself."
            )
        return cls(
            host=environ.get("HOST") or "127.0.0.1",
            port=read_port(environ.get("PORT") or "8000"),
            generate_rate=read_rate(environ.get("GENERATE_RATE") or "20"),
            reset=reset,
            needs_standin=len(urls) < 2,
        )

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def is_wildcard(self) -> bool:
        """Whether it is every address of this machine."""
        return self.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


def check_url(name: str, url: str) -> None:
    """Raise DemoError for what isn't the URL of a database, without telling it: it may hold a password."""
    try:
        parts = urlsplit(url)
        complete = parts.scheme in ("postgres", "postgresql") and parts.path.strip("/") and parts.port != 0
    except ValueError:
        complete = False
    if not complete:
        raise DemoError(f"{name} must look like postgres://user:password@host:port/database.")


def read_port(text: str) -> int:
    """Read a TCP port."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise DemoError(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def read_rate(text: str) -> float:
    """Read a number of order lines a second."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (isfinite(value) and value >= 0):
        raise DemoError(
            f"GENERATE_RATE must be order lines a second, such as 20, or 0 for none, not {text!r}."
        )
    return value


def read_flag(name: str, text: str) -> bool:
    """Read a yes or no."""
    if text.lower() not in TRUE + FALSE:
        raise DemoError(f"{name} must be one of {', '.join(TRUE + FALSE[1:])}, not {text!r}.")
    return text.lower() in TRUE

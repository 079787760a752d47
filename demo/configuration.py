"""The variables that configure `make demo` and `make board`. docs/settings.md describes them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from demo.errors import DemoError

if TYPE_CHECKING:
    from collections.abc import Mapping

TRUE, FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@dataclass(frozen=True)
class Configuration:
    """What the user asks for, checked."""

    host: str
    port: int
    #: Order lines per second; 0 for none.
    generate_rate: float
    reset: bool
    #: True unless both DATABASE_URL and RISINGWAVE_URL are set.
    needs_postgres: bool
    #: True unless RISINGWAVE_URL is set: PostgreSQL takes RisingWave's place.
    needs_standin: bool
    #: Whether to show the views of a RisingWave, without a shop and without writing anything there.
    is_board: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, is_board: bool = False) -> Configuration:
        """Read the variables; an empty one counts as not set. Raises DemoError for an invalid value."""
        urls = {name: environ[name] for name in ("DATABASE_URL", "RISINGWAVE_URL") if environ.get(name)}
        for name, url in urls.items():
            check_url(name, url)
        reset = read_flag("RESET", environ.get("RESET", ""))
        if reset and urls:
            raise DemoError(
                f"RESET=1 can't be combined with {' and '.join(urls)}: it deletes only the demo's own "
                "PostgreSQL. Leave out RESET=1, and empty the given databases yourself."
            )
        if is_board and "RISINGWAVE_URL" not in urls:
            raise DemoError(
                "make board shows the views of a RisingWave. Say which one: "
                "make board RISINGWAVE_URL=postgres://root@127.0.0.1:4566/dev\n"
                "Without a RisingWave, make demo shows a board with made-up orders."
            )
        return cls(
            host=environ.get("HOST") or "127.0.0.1",
            port=read_port(environ.get("PORT") or "8000"),
            generate_rate=0 if is_board else read_rate(environ.get("GENERATE_RATE") or "20"),
            reset=reset,
            needs_postgres=len(urls) < 2,
            needs_standin="RISINGWAVE_URL" not in urls,
            is_board=is_board,
        )

    @property
    def is_loopback(self) -> bool:
        """True if only programs on this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def is_wildcard(self) -> bool:
        """True if the demo listens on every address of this machine."""
        return self.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound

    @property
    def url(self) -> str:
        """The address of the site for a browser on this machine."""
        return f"http://{url_host('localhost' if self.is_wildcard else self.host)}:{self.port}/"


def url_host(host: str) -> str:
    """Return the host as URLs have it: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def check_url(name: str, url: str) -> None:
    """Raise DemoError unless `url` is a database URL.

    The message doesn't repeat the value, which may hold a password.
    """
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
    """Read a number of order lines per second."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (isfinite(value) and value >= 0):
        raise DemoError(
            "GENERATE_RATE must be a number of order lines per second, such as 20, or 0 for none, "
            f"not {text!r}."
        )
    return value


def read_flag(name: str, text: str) -> bool:
    """Read a yes or no."""
    if text.lower() not in TRUE + FALSE:
        raise DemoError(f"{name} must be one of {', '.join(TRUE + FALSE[1:])}, not {text!r}.")
    return text.lower() in TRUE

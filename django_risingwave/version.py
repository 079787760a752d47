"""The server's kind and version: RisingWave, or PostgreSQL as its stand-in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.db import NotSupportedError

# The oldest version that CI runs the tests on: .github/workflows/ci.yml.
MINIMUM_RISINGWAVE = (2, 1)
# The oldest version with NULLS NOT DISTINCT, which the stand-in's summary tables need:
# https://www.postgresql.org/docs/15/release-15.html
MINIMUM_POSTGRESQL = (15,)

# `PostgreSQL 13.14.0-RisingWave-3.0.3 (1234abcd)`: src/common/src/lib.rs at v3.0.3.
_RISINGWAVE = re.compile(r"RisingWave-(\d+\.\d+\.\d+\S*) \(")
# `PostgreSQL 18.4 on x86_64…`, `PostgreSQL 19beta1 on …`.
_POSTGRESQL = re.compile(r"PostgreSQL (\d+\S*)")


@dataclass(frozen=True)
class ServerVersion:
    """The parsed result of `SELECT version()`."""

    is_risingwave: bool
    #: The version as the server writes it: "3.0.3", "2.8.0-rc.1", "18.4".
    version: str

    @classmethod
    def parse(cls, text: str) -> ServerVersion:
        """Parse version(). Raises NotSupportedError if the server is neither RisingWave nor PostgreSQL."""
        if match := _RISINGWAVE.search(text):
            return cls(is_risingwave=True, version=match[1])
        if "RisingWave" not in text and (match := _POSTGRESQL.match(text)):
            return cls(is_risingwave=False, version=match[1])
        raise NotSupportedError(
            "django_risingwave supports RisingWave, and PostgreSQL as its stand-in. According to its "
            f"version(), this server is neither: {text!r}. Check HOST and PORT."
        )

    @property
    def numbers(self) -> tuple[int, ...]:
        """The leading numbers: (2, 8, 0) of "2.8.0-rc.1"."""
        return tuple(map(int, re.findall(r"\d+", re.split(r"[^\d.]", self.version)[0])))

    @property
    def name(self) -> str:
        """The name for people: "RisingWave 3.0.3", "PostgreSQL 18.4 (stand-in)"."""
        return f"RisingWave {self.version}" if self.is_risingwave else f"PostgreSQL {self.version} (stand-in)"

    def check_supported(self) -> None:
        """Raise NotSupportedError if the server is older than the minimum. There is no maximum."""
        server, minimum = (
            ("RisingWave", MINIMUM_RISINGWAVE) if self.is_risingwave else ("PostgreSQL", MINIMUM_POSTGRESQL)
        )
        if self.numbers < minimum:
            raise NotSupportedError(
                f"{server} {'.'.join(map(str, minimum))} or later is required (found {self.version})."
            )

"""Which queries give something else than on PostgreSQL, and why: expected.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from tests.comparison.outcomes import SAME

_FILE = Path(__file__).parent / "expected.toml"


@dataclass(frozen=True)
class Expectation:
    """What queries whose names match one of the patterns give."""

    kind: str
    queries: tuple[str, ...]
    reason: str
    #: "RisingWave" or "stand-in"; None for both.
    server: str | None = None

    def concerns(self, name: str, server: str) -> bool:
        return self.server in (None, server) and any(fnmatchcase(name, query) for query in self.queries)


@cache
def expectations() -> list[Expectation]:
    entries = tomllib.loads(_FILE.read_text(encoding="utf-8"))["expected"]
    return [Expectation(**entry | {"queries": tuple(entry["queries"])}) for entry in entries]


def expected_kind(name: str, server: str) -> str:
    """Return the kind that is expected of a query. The first entry that concerns it counts."""
    return next((each.kind for each in expectations() if each.concerns(name, server)), SAME)

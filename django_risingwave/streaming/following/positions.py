"""Positions in the changes of a subscription, from which they can be followed again."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

# Sums of digests stay below this, which a signed column of 8 bytes holds.
_DIGEST_BITS = 56


@dataclass(frozen=True)
class Position:
    """How many of the changes with a timestamp are done. All earlier changes are.

    A subscription returns the changes of a timestamp as a whole, and always in the same order (by key, on
    RisingWave 2.8.0). The digest tells if they are others than those that were counted.
    """

    #: Milliseconds since 1970.
    timestamp: int
    done: int = 0
    #: The sum of the digests of the changes that are done.
    digest: int = 0

    def after(self, timestamp: int, digest: int) -> Position:
        """Return the position once the next change, which has these, is done too."""
        if timestamp != self.timestamp:
            return Position(timestamp, 1, digest)
        return Position(timestamp, self.done + 1, (self.digest + digest) % 2**_DIGEST_BITS)


def digest(*parts: Any) -> int:
    """Return a number that tells changes apart: of an op, and of rows by column."""
    text = repr([_comparable(part) for part in parts])
    return int.from_bytes(blake2b(text.encode(), digest_size=_DIGEST_BITS // 8).digest())


def _comparable(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    # psycopg2 returns bytea as a memoryview, whose repr() is its address.
    return {name: bytes(value) if isinstance(value, memoryview) else value for name, value in part.items()}

"""Automatic keys, made here: RisingWave has no sequences.

A key is 63 bits: 41 of milliseconds since 2026, which last until 2095, and below them 22 that tell apart the
keys of one millisecond. Each process draws the number at which these begin, and counts up from there. So two
processes can make the same key only if they drew numbers as close as the count of keys that one makes in a
millisecond: 1 in 4 million for two that make one at a time, and 1 in 33,000 for two that make 64 at a time,
the most there are before the next millisecond is begun early.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

from django.apps import apps

if TYPE_CHECKING:
    from collections.abc import Mapping

EPOCH_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
LOW_BITS = 22
KEYS_PER_MS = 64


class KeyMaker:
    """Makes keys that only rise. Safe to share between threads, not between processes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Never so high that counting up would carry into the milliseconds.
        self._start = secrets.randbelow(2**LOW_BITS - KEYS_PER_MS)
        self._ms = 0
        self._count = 0

    def make(self) -> int:
        """Return the next key, 0 < key < 2**63.

        While more than 64 keys a millisecond are asked for, or the clock is set back, keys run ahead of
        the clock rather than wait for it.
        """
        with self._lock:
            now = time.time_ns() // 1_000_000 - EPOCH_MS
            if now > self._ms:
                self._ms, self._count = now, 0
            elif self._count == KEYS_PER_MS:
                self._ms, self._count = self._ms + 1, 0
            key = self._ms << LOW_BITS | self._start + self._count
            self._count += 1
            return key


_maker = KeyMaker()


def make_key() -> int:
    """Return a new key: 63 bits, later ones are larger, no other process makes the same."""
    return _maker.make()


def _start_afresh() -> None:
    global _maker  # noqa: PLW0603 - a child that kept its parent's state would make its parent's keys
    _maker = KeyMaker()


os.register_at_fork(after_in_child=_start_afresh)


def holds_keys(field: Mapping[str, Any]) -> bool:
    """Tell of an integer field, by its attributes, whether its column holds another model's automatic keys.

    They are those of a generic foreign key and of a ForeignObject, which have columns of their own to refer
    by; and those without a name: the one that AutoField.rel_db_type() asks for the type of a foreign key, and
    the output_field of a generated column, which may be generated from keys.
    """
    name, model = field["name"], field.get("model")
    if name is None or model is None:
        return name is None
    # A migration's model doesn't have its generic foreign keys.
    model = apps.all_models[model._meta.app_label].get(model._meta.model_name, model)
    return any(
        name == getattr(other, "fk_field", None) or name in getattr(other, "from_fields", ())
        for other in (*model._meta.local_fields, *model._meta.private_fields)
    )

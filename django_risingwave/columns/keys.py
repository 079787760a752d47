"""Automatic primary keys, generated in Python because RisingWave has no sequences.

A key has 63 bits. The upper 41 are the milliseconds since 2026, which last until 2095. The lower 22
distinguish the keys of one millisecond: each process draws a random start and counts up from it. Two
processes can generate the same key in the same millisecond only if their starts are closer together than the
number of keys that one of them generates in that millisecond. The probability is 1 in 4 million for two
processes that generate one key each, and 1 in 33,000 for two that generate 64, the most before a process
borrows the next millisecond.
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
    """Generates increasing keys. Threads may share an instance; processes must not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Low enough that counting up doesn't carry into the milliseconds.
        self._start = secrets.randbelow(2**LOW_BITS - KEYS_PER_MS)
        self._ms = 0
        self._count = 0

    def make(self) -> int:
        """Return the next key, 0 < key < 2**63.

        Keys run ahead of the clock, instead of waiting for it, while more than 64 keys per millisecond are
        requested or after the clock is set back.
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
    """Return a new key of 63 bits, greater than the earlier keys of this process."""
    return _maker.make()


def _start_afresh() -> None:
    global _maker  # noqa: PLW0603 - with its parent's state, a forked child would generate its parent's keys
    _maker = KeyMaker()


os.register_at_fork(after_in_child=_start_afresh)


def holds_keys(field: Mapping[str, Any]) -> bool:
    """Return whether an integer field, given by its attributes, stores automatic keys of another model.

    A generic foreign key and a ForeignObject store them in integer fields of their model. A field without a
    name counts as well: AutoField.rel_db_type() asks one for the type of a foreign key, and the output_field
    of a generated column may be computed from keys.
    """
    name, model = field["name"], field.get("model")
    if name is None or model is None:
        return name is None
    # The model of a migration lacks its generic foreign keys; the installed one has them.
    model = apps.all_models[model._meta.app_label].get(model._meta.model_name, model)
    return any(
        name == getattr(other, "fk_field", None) or name in getattr(other, "from_fields", ())
        for other in (*model._meta.local_fields, *model._meta.private_fields)
    )

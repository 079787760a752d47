"""Keys are 63 bits, rise, and are made once only."""

from __future__ import annotations

import os
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from django_risingwave.keys import EPOCH_MS, LOW_BITS, KeyMaker, make_key

if TYPE_CHECKING:
    import pytest


def test_a_key_has_63_bits_and_begins_with_the_time() -> None:
    before, key, after = time.time_ns(), make_key(), time.time_ns()
    assert 0 < key < 2**63
    assert before // 1_000_000 <= (key >> LOW_BITS) + EPOCH_MS <= after // 1_000_000 + 1


def test_63_bits_last_until_2095() -> None:
    last = (2**63 - 1) >> LOW_BITS
    assert time.gmtime((last + EPOCH_MS) / 1000).tm_year == 2095


def test_keys_rise_also_when_asked_for_faster_than_a_millisecond_holds() -> None:
    made = [make_key() for _ in range(50_000)]
    assert made == sorted(set(made))


def test_keys_rise_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    maker = KeyMaker()
    first = maker.make()
    hour_ago = time.time_ns() - 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: hour_ago)
    made = [first, *(maker.make() for _ in range(1000))]
    assert made == sorted(set(made))


def test_threads_never_make_the_same_key() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [
            key for batch in pool.map(lambda _: [make_key() for _ in range(5_000)], range(8)) for key in batch
        ]
    assert len(set(made)) == 40_000


def test_a_forked_child_makes_keys_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    # With the clock at a standstill, only where a process begins tells its keys from another's.
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    read, write = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns of threads that other tests may have running; the child only makes a key.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os.write(write, str(make_key()).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as pipe:
        assert int(pipe.read()) != make_key()

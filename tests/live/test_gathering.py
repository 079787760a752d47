"""When a ranking that has changed is read."""

from __future__ import annotations

import math

from live.feeding.gathering import Gathering


def test_a_change_is_read_at_once():
    gathering = Gathering()
    gathering.add(["a"])
    assert gathering.next_at <= 100
    assert gathering.take(100, 0.25) == "a"
    assert gathering.take(100, 0.25) is None


def test_further_changes_are_read_together_when_the_time_between_two_reads_is_over():
    gathering = Gathering()
    gathering.add(["a"])
    gathering.take(100, 0.25)
    for _ in range(3):
        gathering.add(["a"])
    assert gathering.take(100.2, 0.25) is None
    assert gathering.next_at == 100.25
    assert gathering.take(100.25, 0.25) == "a"
    assert gathering.take(200, 0.25) is None


def test_a_ranking_is_read_while_another_one_must_wait():
    gathering = Gathering()
    gathering.add(["a"])
    gathering.take(100, 0.25)
    gathering.add(["a"])
    gathering.add(["b"])
    assert gathering.take(100.1, 0.25) == "b"
    assert gathering.take(100.1, 0.25) is None
    assert gathering.next_at == 100.25


def test_a_change_after_a_quiet_time_is_read_at_once_again():
    gathering = Gathering()
    gathering.add(["a"])
    gathering.take(100, 0.25)
    gathering.add(["a"])
    assert gathering.take(101, 0.25) == "a"


def test_of_several_rankings_the_one_that_waits_longest_is_read_first_so_that_none_is_left_out():
    gathering = Gathering()
    read = []
    for now in range(9):
        # All change again and again, faster than they can be read.
        gathering.add(["a", "b", "c"])
        read.append(gathering.take(now, 0.25))
    assert read == ["a", "b", "c"] * 3


def test_nothing_is_read_while_nothing_changes():
    gathering = Gathering()
    assert gathering.take(100, 0.25) is None
    assert gathering.next_at == math.inf

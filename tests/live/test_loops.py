"""Objects that belong to an event loop."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from live.loops import PerLoop

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Let the interpreter switch between threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_each_loop_has_an_object_of_its_own():
    objects = PerLoop(object)

    async def twice() -> list[object]:
        return [objects(), objects()]

    with asyncio.Runner() as one, asyncio.Runner() as other:
        first, second = one.run(twice()), other.run(twice())
        assert first[0] is first[1]
        assert second[0] is second[1]
        assert dict(objects.items()) == {one.get_loop(): first[0], other.get_loop(): second[0]}


# In most rounds, though not in all, the thread adds an object in the middle of a listing.
@pytest.mark.usefixtures("frequent_switches")
@pytest.mark.parametrize("_round", range(5))
def test_objects_can_be_listed_while_another_thread_adds_some(_round):
    objects = PerLoop(object)
    # Loops that never run: they only have to be the running one for a moment.
    loops = [asyncio.AbstractEventLoop() for _ in range(5000)]  # type: ignore[abstract]

    def add() -> None:
        for loop in loops:
            asyncio._set_running_loop(loop)
            objects()
        asyncio._set_running_loop(None)

    thread = threading.Thread(target=add)
    thread.start()
    try:
        while thread.is_alive():
            objects.items()
    finally:
        thread.join()
    assert {loop for loop, _ in objects.items()} == set(loops)

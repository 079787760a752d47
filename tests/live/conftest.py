from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from live import hub
from live.feed import Feed
from live.logouts import LogoutListener

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def nothing_goes_on() -> Iterator[None]:
    """Ends what a test's event loop has begun in this process, and forgets what it has read.

    A feed outlives its loop until it next calls back: it would ask the database while no test may.
    """
    yield
    hub._hubs.clear()
    for thread in threading.enumerate():
        if isinstance(thread, Feed | LogoutListener):
            thread.stop()
            thread.join(60)
            assert not thread.is_alive()

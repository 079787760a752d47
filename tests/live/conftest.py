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
def stopped_threads() -> Iterator[None]:
    """Stop the threads that a test's event loop has started, and forget its hub.

    A feed runs on until it calls back on the closed loop, and would query the database when no test may.
    """
    yield
    hub.get_hub.clear()
    for thread in threading.enumerate():
        if isinstance(thread, Feed | LogoutListener):
            thread.stop()
            thread.join(60)
            assert not thread.is_alive()

"""What happens to notices of other processes while they can't be received."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest
from django.db import OperationalError

from live import outages
from live.users import notices
from live.users.notices import Channel, NoticeListener, Notices
from tests.conftest import BOTH
from tests.live.hubs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = BOTH


@contextmanager
def following() -> Iterator[Notices]:
    """Follow the notices of logouts."""
    followed = Notices()
    followed.follow(Channel.LOGOUT, lambda _: None)
    try:
        yield followed
    finally:
        followed.unfollow(Channel.LOGOUT)


def lost() -> set[str]:
    return {outage.name for outage in outages.current()}


async def test_an_outage_of_notices_ends_when_nobody_follows_them_any_more(monkeypatch):
    def listen(self: NoticeListener) -> NoReturn:
        raise OperationalError("lost")

    monkeypatch.setattr(NoticeListener, "_listen", listen)
    with following():
        await wait_until(lambda: "notices" in lost())
    await wait_until(lambda: "notices" not in lost())


@pytest.mark.parametrize("missing", ["files", "threads"])
async def test_who_follows_while_files_or_threads_are_gone_is_not_sent_away(missing, monkeypatch):
    def no_file(*_: object) -> NoReturn:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def no_thread(self: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        if missing == "files":
            patch.setattr(notices, "SelectableEvent", no_file)
        else:
            patch.setattr(threading.Thread, "start", no_thread)
        with following() as followed:
            assert "notices" in lost()
            patch.undo()
            followed.follow(Channel.RANKINGS, lambda _: None)
            await wait_until(lambda: "notices" not in lost())
            followed.unfollow(Channel.RANKINGS)

"""Keeps RANKINGS as users have declared them: in each process, on its event loop.

A process learns of a change by NOTIFY, and by reading all declared rankings again each minute.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from django.db import connections

from live.conf import MAX_LISTENER_RETRY_SECONDS, live_settings
from live.declared.declarations import ranking_of
from live.loops import PerLoop
from live.models import Crossing, DeclaredRanking, Record
from live.outages import Outage
from live.rankings import RANKINGS, RelationRanking
from live.users import database as users_database
from live.users import deadlines
from live.users.notices import Channel, announce, get_notices

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from live.rankings import Ranking

    OnChange = Callable[[Collection[str], Collection[Ranking]], None]

logger = logging.getLogger(__name__)

#: Time between two reads of all declared rankings, in case a notice of a change was lost.
RELOAD_SECONDS = 60.0
#: One thread, so that a database that hangs takes one.
_executor = ThreadPoolExecutor(1, thread_name_prefix="declared-rankings")
_outage = Outage("declared rankings", "be read", MAX_LISTENER_RETRY_SECONDS)
#: Slugs of declared rankings that are left out and have been logged.
_logged: set[str] = set()


def declared() -> dict[str, RelationRanking]:
    """Read the rankings that users have declared, by slug, without those whose slug the code has.

    Queries the database of users, and leaves the thread's connection open. Raises django.db.Error.
    """
    if not live_settings.USER_RANKINGS:
        return {}
    found = {row.slug: ranking_of(row) for row in DeclaredRanking.objects.order_by("pk")}
    for slug in [slug for slug in found if _is_taken(slug)]:
        del found[slug]
        if slug not in _logged:
            _logged.add(slug)
            logger.warning("ranking %s: a user's is left out, because the code has one of this slug", slug)
    return found


def _is_taken(slug: str) -> bool:
    return not isinstance(RANKINGS.get(slug, None), RelationRanking | None)


def on_declared(instance: DeclaredRanking, **_: object) -> None:
    """Tell all processes that a ranking has been declared or changed, once that is committed.

    Receives Django's post_save.
    """
    announce(Channel.RANKINGS, instance.slug)


def on_deleted(instance: DeclaredRanking, **_: object) -> None:
    """Forget a ranking that has been deleted, and tell all processes. Receives Django's post_delete."""
    forget(instance.slug)
    announce(Channel.RANKINGS, instance.slug)


def forget(slug: str) -> None:
    """Delete what is remembered of a ranking: another one may get its slug."""
    for model in (Record, Crossing):
        model._default_manager.filter(ranking=slug).delete()


class Registry:
    """Keeps RANKINGS up to date while somebody uses them."""

    def __init__(self) -> None:
        #: Called with the slugs of the rankings that are gone, and with those that are new or have changed.
        self.on_change: OnChange | None = None
        self._known: dict[str, RelationRanking] = {}
        self._is_following = False
        #: The read that is running, or the last one.
        self.reloading: asyncio.Task[None] | None = None
        self._is_reload_wanted = False
        self._reload_at = -math.inf

    async def ready(self) -> None:
        """Make sure that RANKINGS is up to date. Waits only for the first read since nobody used it."""
        if not live_settings.USER_RANKINGS:
            return
        if not self._is_following:
            self._is_following = True
            get_notices().follow(Channel.RANKINGS, self._on_notice)
            self.reload()
            if self.reloading is not None:
                await asyncio.wait([self.reloading], timeout=live_settings.REQUEST_WAIT_SECONDS)
        self.reload_if_due()

    def rest(self) -> None:
        """Do nothing until the next ready()."""
        if self._is_following:
            self._is_following = False
            get_notices().unfollow(Channel.RANKINGS)

    def reload_if_due(self) -> None:
        """Read the declared rankings again if the last read is a minute ago."""
        if self._is_following and time.monotonic() >= self._reload_at:
            self.reload()

    def reload(self) -> None:
        """Read the declared rankings soon, after a read that is running."""
        self._is_reload_wanted = True
        self._reload_at = time.monotonic() + RELOAD_SECONDS
        if self.reloading is None or self.reloading.done():
            # Without the context of the request that came first, whose id its log lines would have.
            self.reloading = asyncio.create_task(self._load(), context=contextvars.Context())

    def _on_notice(self, _slug: str) -> None:
        self.reload()

    async def _load(self) -> None:
        while self._is_reload_wanted:
            self._is_reload_wanted = False
            found = await asyncio.get_running_loop().run_in_executor(_executor, _read)
            if isinstance(found, float):
                self._reload_at = time.monotonic() + found
            else:
                self.apply(found)

    def apply(self, found: dict[str, RelationRanking]) -> None:
        """Change RANKINGS, in place, to have these declared rankings, and tell what has changed."""
        deleted = self._known.keys() - found.keys()
        changed = [ranking for slug, ranking in found.items() if self._known.get(slug) != ranking]
        self._known = found
        for slug in deleted:
            RANKINGS.pop(slug, None)
        RANKINGS.update(found)
        if self.on_change is not None and (deleted or changed):
            self.on_change(deleted, changed)


get_registry = PerLoop(Registry)


async def refresh() -> None:
    """Read the declared rankings again, on this event loop, and wait for it as long as a request may."""
    registry = get_registry()
    await registry.ready()
    registry.reload()
    if registry.reloading is not None:
        await asyncio.wait([registry.reloading], timeout=live_settings.REQUEST_WAIT_SECONDS)


async def ready() -> None:
    """Make sure that RANKINGS is up to date, on this event loop."""
    await get_registry().ready()


def _read() -> dict[str, RelationRanking] | float:
    """Return the declared rankings, or the seconds until the next attempt if they can't be read now."""
    connection = connections[users_database.alias()]
    try:
        connection.ensure_connection()
        with deadlines.within(connection, live_settings.REQUEST_WAIT_SECONDS):
            found = declared()
    except Exception as error:  # noqa: BLE001 - the other rankings go on
        if not users_database.is_unmigrated(error, DeclaredRanking):
            return _outage.fail(error)
        if "live_migrate" not in _logged:
            _logged.add("live_migrate")
            logger.warning(
                "declared rankings: can't be read (%s). Run: manage.py migrate live",
                str(error).split("\n")[0],
            )
        return RELOAD_SECONDS
    finally:
        connection.close()
    _outage.succeed()
    return found

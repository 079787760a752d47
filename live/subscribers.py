"""Who is told what the hub gets to know."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Protocol

from live.logs.repeated_lines import RepeatedLines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from live.history.sparklines import Sparklines
    from live.hub_state import Ping
    from live.rankings import Ranking
    from live.snapshots import Snapshot

    #: What subscribers are told.
    Message = Snapshot | Ping | Sparklines

logger = logging.getLogger("live.hub")


class Subscriber(Protocol):
    """Gets what is new, on the event loop. It must not block; one that raises is unsubscribed."""

    def deliver(self, message: Message) -> None:
        """Take a new snapshot, a ping, or new sparklines."""

    def on_deleted(self, slug: str) -> None:
        """Send the client away: a ranking that it watches has been deleted."""

    def on_shutdown(self) -> None:
        """Send the client away: the process is shutting down."""


class Subscribers:
    """The subscribers of each ranking."""

    def __init__(self) -> None:
        #: The ids of the rankings that each subscriber watches.
        self._ids: dict[Subscriber, frozenset[str]] = {}
        #: The subscribers by Ranking.id. Dictionaries keep the order, so that nobody is always served last.
        self._of: defaultdict[str, dict[Subscriber, None]] = defaultdict(dict)
        self._failed = RepeatedLines(logger, logging.ERROR)

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[Subscriber]:
        """Iterate over a copy: any thread may count them, and those who are told something may leave."""
        return iter(list(self._ids))

    def of(self, id_: str) -> list[Subscriber]:
        """Return the subscribers of a ranking, by Ranking.id."""
        return list(self._of.get(id_, ()))

    @property
    def watched(self) -> list[str]:
        """The ids of the rankings that have subscribers."""
        return [id_ for id_, subscribers in self._of.items() if subscribers]

    @property
    def formats(self) -> Counter[str]:
        """The number of subscribers by the format that they get. May be read from any thread."""
        return Counter("json" if getattr(one, "json", False) else "html" for one in self)

    def add(self, subscriber: Subscriber, rankings: Sequence[Ranking]) -> None:
        """Tell `subscriber` what is new of these rankings."""
        self._ids[subscriber] = frozenset(ranking.id for ranking in rankings)
        for id_ in self._ids[subscriber]:
            self._of[id_][subscriber] = None

    def remove(self, subscriber: Subscriber) -> bool:
        """Tell `subscriber` nothing any more; return whether it was told."""
        ids = self._ids.pop(subscriber, None)
        for id_ in ids or ():
            del self._of[id_][subscriber]
            if not self._of[id_]:
                del self._of[id_]
        return ids is not None

    def hand_out(self, message: Message, subscribers: Iterable[Subscriber]) -> None:
        """Deliver a message to these subscribers."""
        for subscriber in subscribers:
            try:
                subscriber.deliver(message)
            except Exception as error:  # noqa: BLE001 - the others must get the message all the same
                self._failed.log(
                    type(error).__name__,
                    f"subscriber {subscriber}: failed and is unsubscribed",
                    error=error,
                )
                self.remove(subscriber)

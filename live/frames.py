"""A snapshot as bytes on the wire: rendered once per variant, the same text for every subscriber.

docs/protocol.md describes each message.
"""

from __future__ import annotations

import json
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from django.core.serializers.json import DjangoJSONEncoder
from django.template.loader import render_to_string

from live.formats import isoformat
from live.protocol import VERSION, CloseCode, MessageType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from live.hub import Ping
    from live.rankings import Ranking
    from live.snapshots import Snapshot


class Renderable(Protocol):
    """An object that keeps what it has been rendered as, by the name of the function."""

    @property
    def rendered(self) -> dict[str, str]: ...


Message = TypeVar("Message", bound=Renderable)


def payload(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as programs get it, over HTTP and WebSocket alike."""
    return {
        "ranking": snapshot.ranking.slug,
        "title": snapshot.ranking.heading,
        "measure": snapshot.ranking.measure,
        "source": snapshot.source,
        "changed_at": isoformat(snapshot.changed_at),
        "etag": snapshot.etag,
        "rows": [
            {"rank": row.rank, "key": row.key, "name": row.name, "value": row.value, "display": row.display}
            for row in snapshot.rows
        ],
    }


def once(render: Callable[[Message], str]) -> Callable[[Message], str]:
    """Render each message once, and keep the text as long as the message lives."""

    @wraps(render)
    def text(message: Message) -> str:
        if render.__name__ not in message.rendered:
            message.rendered[render.__name__] = render(message)
        return message.rendered[render.__name__]

    return text


@once
def html(snapshot: Snapshot) -> str:
    """The ranking's card as an out-of-band swap for htmx."""
    return render_to_string("live/card.html", {"snapshot": snapshot, "oob": True})


@once
def card(snapshot: Snapshot) -> str:
    """The ranking's card, for the partial that pages poll."""
    return render_to_string("live/card.html", {"snapshot": snapshot})


@once
def update(snapshot: Snapshot) -> str:
    """The ranking has changed, as JSON."""
    return _message(MessageType.UPDATE, **payload(snapshot))


@once
def first(snapshot: Snapshot) -> str:
    """The ranking as it is when a program subscribes, as JSON."""
    return _message(MessageType.SNAPSHOT, **payload(snapshot))


@once
def ping(message: Ping) -> str:
    """The connection is alive; how fresh each ranking is."""
    return _message(
        MessageType.PING,
        now=isoformat(message.now),
        checked_at={slug: isoformat(moment) for slug, moment in message.checked_at.items()},
    )


def hello(rankings: Sequence[Ranking]) -> str:
    """What the subscriber will get."""
    return _message(MessageType.HELLO, version=VERSION, rankings=[ranking.slug for ranking in rankings])


def error(code: CloseCode, reason: str) -> str:
    """Why the socket is closed next, with which code."""
    return _message(MessageType.ERROR, code=code, reason=reason)


def _message(kind: MessageType, **fields: Any) -> str:
    # Keys may be dates and the like; JsonResponse writes them the same way.
    return json.dumps(
        {"type": kind, **fields}, separators=(",", ":"), ensure_ascii=False, cls=DjangoJSONEncoder
    )

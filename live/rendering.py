"""Snapshots, pings and other messages as text: cards in HTML, and JSON as docs/protocol.md describes it.

Each snapshot and each ping is rendered once, and the same text goes to every subscriber.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from django.core.serializers.json import DjangoJSONEncoder
from django.template.loader import render_to_string

from live.conf import live_settings
from live.formats import duration, isoformat
from live.protocol import VERSION, CloseCode, MessageType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from live.faults import Fault
    from live.hub import Ping
    from live.rankings import Ranking
    from live.snapshots import Snapshot


class Renderable(Protocol):
    """An object that keeps its rendered texts, by the name of the function that rendered them."""

    @property
    def rendered(self) -> dict[str, str]: ...


Message = TypeVar("Message", bound=Renderable)


def payload(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as programs get it, over HTTP and the WebSocket."""
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
        "totals": snapshot.totals and {"keys": snapshot.totals.keys, "sum": snapshot.totals.sum},
    }


def once(render: Callable[[Message], str]) -> Callable[[Message], str]:
    """Decorate a function, so that it renders each message once; the message keeps the text."""

    @wraps(render)
    def text(message: Message) -> str:
        if render.__name__ not in message.rendered:
            message.rendered[render.__name__] = render(message)
        return message.rendered[render.__name__]

    return text


def known_payload(ranking: Ranking, snapshot: Snapshot | None, fault: Fault | None) -> dict[str, Any]:
    """Return what is known of a ranking, as programs get it over HTTP."""
    if snapshot is not None:
        known = payload(snapshot)
    else:
        known = {
            "ranking": ranking.slug,
            "title": ranking.heading,
            "measure": ranking.measure,
            "source": None,
            "changed_at": None,
            "etag": None,
            "rows": [],
            "totals": None,
        }
    return known | {"fault": fault and _fault_payload(fault)}


def _fault_payload(fault: Fault) -> dict[str, str]:
    return {"reason": fault.reason, "since": isoformat(fault.since)}


def state_and_note(checked_at: datetime | None, fault: Fault | None) -> tuple[str, str]:
    """Return the state of a ranking's card on a page, and what it says about it: both empty if it is fresh.

    state.js says the same later.
    """
    if fault is not None:
        return "fault", fault.note
    seconds = (datetime.now(UTC) - checked_at).total_seconds() if checked_at else 0
    if seconds > live_settings.STALE_SECONDS:
        return "stale", f"stale: no reading for {duration(seconds)}"
    return "", ""


def placeholder(ranking: Ranking, fault: Fault | None) -> str:
    """Return the card of a ranking that has never been read."""
    return render_to_string("live/unread_card.html", {"ranking": ranking, "fault": fault})


@once
def card(snapshot: Snapshot) -> str:
    """Return a ranking's card, for the answer to a poll."""
    return render_to_string("live/card.html", {"snapshot": snapshot})


@once
def card_message(snapshot: Snapshot) -> str:
    """Return a ranking's card, as a message that htmx swaps in out of band."""
    return render_to_string("live/card.html", {"snapshot": snapshot, "oob": True})


@once
def snapshot_message(snapshot: Snapshot) -> str:
    """Return the message with a ranking as it is when a program subscribes."""
    return _message(MessageType.SNAPSHOT, **payload(snapshot))


@once
def update_message(snapshot: Snapshot) -> str:
    """Return the message with a ranking whose rows or totals have changed."""
    return _message(MessageType.UPDATE, **payload(snapshot))


@once
def ping_message(ping: Ping) -> str:
    """Return the message with the time, the time of the last read of each ranking, and what is wrong."""
    return _message(MessageType.PING, **_ping_payload(ping))


def ping_header(ping: Ping) -> str:
    """Return a ping as the value of the header Live-Ping: the JSON of the message without its type."""
    return json.dumps(_ping_payload(ping), separators=(",", ":"))


def _ping_payload(ping: Ping) -> dict[str, Any]:
    return {
        "now": isoformat(ping.now),
        "checked_at": {slug: isoformat(moment) for slug, moment in ping.checked_at.items()},
        "faults": {slug: _fault_payload(fault) for slug, fault in ping.faults.items()},
    }


def hello_message(rankings: Sequence[Ranking]) -> str:
    """Return the first message, which names the rankings that follow."""
    return _message(MessageType.HELLO, version=VERSION, rankings=[ranking.slug for ranking in rankings])


def error_message(code: CloseCode, reason: str) -> str:
    """Return the message that tells a client why the socket is closed, or its message is refused."""
    return _message(MessageType.ERROR, code=code, reason=reason)


def _message(kind: MessageType, **fields: Any) -> str:
    # DjangoJSONEncoder writes keys such as dates and UUIDs as JsonResponse does.
    return json.dumps(
        {"type": kind, **fields},
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
        cls=DjangoJSONEncoder,
    )

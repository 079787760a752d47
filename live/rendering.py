"""Snapshots, pings and other messages as text: cards in HTML, and JSON as docs/protocol.md describes it.

Each snapshot and each ping is rendered once, and the same text goes to every subscriber.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from django.core.serializers.json import DjangoJSONEncoder
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext

from live.cards import Card
from live.conf import live_settings
from live.formats import duration, isoformat
from live.protocol import VERSION, CloseCode, MessageType

if TYPE_CHECKING:
    from collections.abc import Callable

    from live.faults import Fault
    from live.hub_state import Ping
    from live.parameters import Selection
    from live.snapshots import Snapshot


class Renderable(Protocol):
    """An object that keeps its rendered texts, by the function that rendered them and its arguments."""

    @property
    def rendered(self) -> dict[tuple[Any, ...], Any]: ...


Message = TypeVar("Message", bound=Renderable)
Arguments = ParamSpec("Arguments")


def payload(snapshot: Snapshot, size: int | None = None) -> dict[str, Any]:
    """Return a snapshot as programs get it, over HTTP and the WebSocket."""
    comparison = snapshot.comparison
    return {
        "ranking": snapshot.ranking.slug,
        "window": snapshot.ranking.window,
        "title": snapshot.ranking.heading,
        "measure": snapshot.ranking.measure,
        "source": snapshot.source,
        "changed_at": isoformat(snapshot.changed_at),
        "etag": snapshot.etag(size),
        "compared_with": comparison and isoformat(comparison.at),
        "rows": [
            {
                "rank": row.rank,
                "key": row.key,
                "name": row.name,
                "value": row.value,
                "display": row.display,
                "share": None if row.share is None else round(row.share, 2),
                "movement": row.movement,
            }
            for row in snapshot.rows(size)
        ],
        "totals": snapshot.totals and {"keys": snapshot.totals.keys, "sum": snapshot.totals.sum},
        "alerts": [
            {
                "id": shown.alert.id,
                "of": shown.alert.threshold.of,
                "key": json.loads(shown.alert.key) if shown.alert.key else None,
                "name": shown.name or None,
                "text": shown.text,
                "value": shown.alert.value,
                "since": isoformat(shown.alert.since),
            }
            for shown in Card(snapshot.ranking, snapshot, size).alerts
        ],
    }


def once(
    render: Callable[Concatenate[Message, Arguments], str],
) -> Callable[Concatenate[Message, Arguments], str]:
    """Decorate a function, so that it renders each message once for the same arguments."""

    @wraps(render)
    def text(message: Message, *args: Arguments.args, **kwargs: Arguments.kwargs) -> str:
        name = render.__name__, *args
        if name not in message.rendered:
            message.rendered[name] = render(message, *args, **kwargs)
        known: str = message.rendered[name]
        return known

    # mypy takes a wrapped function for one whose first argument may be named.
    return cast("Callable[Concatenate[Message, Arguments], str]", text)


def known_payload(card: Card) -> dict[str, Any]:
    """Return what is known of a ranking, as programs get it over HTTP."""
    ranking = card.ranking
    if card.snapshot is not None:
        known = payload(card.snapshot, card.size)
    else:
        known = {
            "ranking": ranking.slug,
            "window": ranking.window,
            "title": ranking.heading,
            "measure": ranking.measure,
            "source": None,
            "changed_at": None,
            "etag": None,
            "compared_with": None,
            "rows": [],
            "totals": None,
            "alerts": [],
        }
    return known | {"fault": card.fault and _fault_payload(card.fault)}


def _fault_payload(fault: Fault) -> dict[str, str]:
    return {"reason": fault.reason, "since": isoformat(fault.since)}


def state_and_note(checked_at: datetime | None, fault: Fault | None, interval: float = 0) -> tuple[str, str]:
    """Return the state of a ranking's card on a page, and what it says about it: both empty if it is fresh.

    `interval` is the time between two reads, in seconds, if it is long. state.js says the same later.
    """
    if fault is not None:
        return "fault", fault.note
    seconds = (datetime.now(UTC) - checked_at).total_seconds() if checked_at else 0
    if seconds > live_settings.STALE_SECONDS + interval:
        return "stale", gettext("stale: no reading for %(span)s") % {"span": duration(seconds)}
    return "", ""


def placeholder(card: Card, language: str = "en") -> str:
    """Return the card of a ranking that has never been read."""
    with translation.override(language):
        return render_to_string("live/unread_card.html", {"card": card})


@once
def card(snapshot: Snapshot, size: int | None = None, language: str = "en") -> str:
    """Return a ranking's card, for the answer to a poll."""
    with translation.override(language):
        return render_to_string("live/card.html", {"card": Card(snapshot.ranking, snapshot, size)})


@once
def card_message(snapshot: Snapshot, size: int | None = None, language: str = "en") -> str:
    """Return a ranking's card, as a message that htmx swaps in out of band."""
    with translation.override(language):
        return render_to_string(
            "live/card.html", {"card": Card(snapshot.ranking, snapshot, size), "oob": True}
        )


@once
def snapshot_message(snapshot: Snapshot, size: int | None = None, language: str = "en") -> str:
    """Return the message with a ranking as it is when a program subscribes."""
    with translation.override(language):
        return _message(MessageType.SNAPSHOT, **payload(snapshot, size))


@once
def update_message(snapshot: Snapshot, size: int | None = None, language: str = "en") -> str:
    """Return the message with a ranking whose rows or totals have changed."""
    with translation.override(language):
        return _message(MessageType.UPDATE, **payload(snapshot, size))


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
        "checked_at": {id_: isoformat(moment) for id_, moment in ping.checked_at.items()},
        "faults": {id_: _fault_payload(fault) for id_, fault in ping.faults.items()},
        "intervals": ping.intervals,
    }


def hello_message(selection: Selection) -> str:
    """Return the first message, which names the rankings that follow."""
    slugs = [ranking.slug for ranking in selection.rankings]
    return _message(MessageType.HELLO, version=VERSION, rankings=slugs, window=selection.window)


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

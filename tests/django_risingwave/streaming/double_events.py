"""Change the views on the double, and find its sessions with cursors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connections

from django_risingwave.standin.functions import CHANNEL
from tests.django_risingwave.models import Event

if TYPE_CHECKING:
    from django_risingwave.testing.double import Double


def insert(amount: int = 1) -> None:
    """Change both views."""
    Event.objects.create(kind="a", amount=amount)


def notify(view: str) -> None:
    """Make the double report a change of this view alone."""
    with connections["risingwave"].cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, view])


def sessions_with_cursors(double: Double) -> list[Any]:
    """Return the open sessions that have a cursor."""
    return [session for session in double.sessions if session.is_open and session.cursors]

"""Statements of ours that no transcript has: data/unrecorded.sql lists them."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING

from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]  # psycopg2 or psycopg

from django_risingwave.testing.transcripts import Transcripts, recorded
from tests.django_risingwave.data_files import unrecorded as listed
from tests.risingwave import servers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django_risingwave.testing.transcripts import Transcript


def unrecorded(transcripts: Iterable[Transcript]) -> list[str]:
    """Return the listed statements that neither the repository's transcripts nor these have."""
    found = Transcripts(transcripts)
    return [sql for sql in listed() if not recorded().find(sql) and not found.find(sql)]


def ask(url: str, statements: Iterable[str]) -> None:
    """Send each statement, so that the recorder at `url` has the server's answer, which may be an error."""
    for sql in statements:
        # On a connection of its own, since the server may end the session.
        with suppress(Database.Error), closing(servers.connect(url)) as connection:
            connection.cursor().execute(sql)

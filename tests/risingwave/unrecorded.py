"""Statements of ours that no transcript has: data/unrecorded.sql lists them."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING

from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]  # psycopg2 or psycopg

from tests.django_risingwave.transcripts import DATA, Transcripts, recorded
from tests.risingwave import servers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.django_risingwave.transcripts import Transcript

_FILE = DATA / "unrecorded.sql"


def unrecorded(transcripts: Iterable[Transcript]) -> list[str]:
    """Return the listed statements that neither the repository's transcripts nor these have."""
    if not _FILE.exists():
        return []
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    statements = [line for line in lines if line and not line.startswith("--")]
    found = Transcripts(transcripts)
    return [sql for sql in statements if not recorded().find(sql) and not found.find(sql)]


def ask(url: str, statements: Iterable[str]) -> None:
    """Send each statement, so that the recorder at `url` has the server's answer, which may be an error."""
    for sql in statements:
        # On a connection of its own, since the server may end the session.
        with suppress(Database.Error), closing(servers.connect(url)) as connection:
            connection.cursor().execute(sql)

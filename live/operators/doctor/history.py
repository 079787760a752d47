"""Whether the history is written: what it is written to, and when it was written last."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from live.conf import live_settings
from live.formats import age
from live.history import records
from live.history.lookups import ends
from live.history_support import is_supported
from live.models import Record
from live.operators.doctor.findings import advice, ok, problem
from live.rankings import variants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from live.operators.doctor.findings import Finding

#: Records that may be missing, in minutes, before something must be wrong: a restart misses one.
MAX_MISSING = 3
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")


def check_history(subject: str) -> Iterator[Finding]:
    """Examine the table of records, and the age of the newest. Raises django.db.Error."""
    if not live_settings.HISTORY:
        yield ok(subject, "isn't kept, as LIVE_HISTORY says")
        return
    if not is_supported():
        yield advice(
            subject,
            "isn't kept: the database of users isn't PostgreSQL",
            "Use PostgreSQL for movement and charts, or set LIVE_HISTORY = False.",
        )
        return
    missing = []
    with records.cursor() as cursor:
        for privilege in PRIVILEGES:
            cursor.execute("SELECT has_table_privilege(%s, %s)", [records.table_name(), privilege])
            missing += [] if cursor.fetchone() == (True,) else [privilege]
    if missing:
        yield problem(
            subject,
            f"can't be kept: the user may not {', '.join(missing)} in {Record._meta.db_table}",
            f"GRANT {', '.join(missing)} ON {Record._meta.db_table} TO the user of DATABASES.",
        )
        return
    newest = max((known.newest for known in ends(one.id for one in variants()).values()), default=None)
    if newest is None:
        yield advice(subject, "nothing has been recorded yet", "Start a process of the site; see its log.")
    elif datetime.now(UTC) - newest > MAX_MISSING * records.MINUTE:
        yield advice(
            subject,
            f"was last recorded {age(newest)}",
            "Start a process of the site, or look into its log for lines that begin with 'history'.",
        )
    else:
        yield ok(subject, f"was last recorded {age(newest)}")

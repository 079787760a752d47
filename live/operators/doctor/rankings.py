"""The rankings in their database: what they are read from, and whether that can be read and is heard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from django.db import connections

from live.faults import reason_for
from live.feeding.sources import find_sources
from live.leading import leading_name, totals_name
from live.operators.doctor.findings import advice, examine, first_line, ok, problem
from live.rankings import variants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper
    from live.feeding.sources import Source
    from live.operators.doctor.findings import Finding
    from live.rankings import Ranking


def check_rankings(alias: str) -> Iterator[Finding]:
    """Examine each ranking: what it is read from, and a read of it. Raises django.db.Error."""
    connection = cast("DatabaseWrapper", connections[alias])
    rankings = variants()
    names = {name for ranking in rankings for name in _relations(ranking)}
    with connection.cursor() as cursor:
        existing = connection.introspection.get_relation_kinds(cursor).keys()
        readable = connection.introspection.get_readable(cursor, sorted(existing & names))
    sources = find_sources(alias, rankings)
    yield from examine(f"database {alias}, subscriptions", _check_subscriptions(connection, sources))
    for ranking in rankings:
        yield from _check_relations(ranking, connection, existing, readable)
        yield _read(sources[ranking.id])


def _check_subscriptions(connection: DatabaseWrapper, sources: dict[str, Source]) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        heard = connection.introspection.get_subscriptions(cursor).keys()
    for slug, source in sources.items():
        if connection.is_risingwave and source.relation not in heard:
            yield advice(
                f"ranking {slug}",
                f"{source.relation} has no subscription that this user may read: read each second",
                "Add CreateSubscription to a migration, or grant this user SELECT on the subscription.",
            )


def _relations(ranking: Ranking) -> tuple[str, str, str]:
    return ranking.model._meta.db_table, leading_name(ranking.id), totals_name(ranking.id)


def _check_relations(
    ranking: Ranking, connection: DatabaseWrapper, existing: object, readable: set[str]
) -> Iterator[Finding]:
    subject = f"ranking {ranking.id}"
    view, *kept = _relations(ranking)
    existing = cast("set[str]", existing)
    for name in (view, *kept):
        if name in readable:
            continue
        if name in existing:
            user = connection.settings_dict["USER"]
            find = problem if name == view and kept[0] not in readable else advice
            yield find(
                subject, f"this user may not read {name}", f"Run there: GRANT SELECT ON {name} TO {user}"
            )
        elif name == view:
            yield problem(
                subject,
                f"{view} doesn't exist",
                f"Run: manage.py migrate --database {connection.alias}. If all migrations are applied, it "
                "was dropped: create it again by the SQL of its migration (manage.py sqlmigrate). "
                "If it is in another schema, set search_path in OPTIONS, and grant this user USAGE on the "
                "schema.",
            )
        elif name == kept[0]:
            yield advice(
                subject,
                f"{name} doesn't exist: each read scans the whole view",
                "Add CreateLeadingRows of live.migration_operations to a migration.",
            )


def _read(source: Source) -> Finding:
    subject = f"ranking {source.ranking.id}"
    began_at = time.monotonic()
    try:
        rows = source.rows()
        source.totals()
    except Exception as error:  # noqa: BLE001 - a ranking's own code may raise anything
        remedy = "Look at the findings about it above, or try the query of its view in manage.py dbshell."
        return problem(subject, f"can't be read: {reason_for(error)} ({first_line(error)})", remedy)
    milliseconds = (time.monotonic() - began_at) * 1_000
    return ok(subject, f"{len(rows)} rows, read from {source.relation} in {milliseconds:.0f} ms")

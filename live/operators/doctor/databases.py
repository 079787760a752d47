"""A database: whether it can be reached, its version, clock and migrations, and what the site may write."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import Error, connections, router
from django.db.migrations.executor import MigrationExecutor

from live.conf import live_settings
from live.models import Record
from live.operators.doctor.findings import advice, examine, first_line, ok, problem
from live.operators.doctor.history import check_history
from live.operators.doctor.rankings import check_rankings
from live.rankings import RANKINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from live.operators.doctor.findings import Finding

#: Difference of two clocks that viewers notice, in ages and in sessions. RisingWave's now() is up to a second
#: before its clock.
MAX_CLOCK_DIFFERENCE_SECONDS = 3.0
#: What the texts of connection errors mean, and what to do. The first that fits counts.
REMEDIES = (
    (
        r"password authentication failed|no password supplied|role .* does not exist|[Ii]nvalid password",
        "Set the right USER and PASSWORD. In a URL, percent-encode special characters.",
    ),
    (r"database .* (does not exist|not found)", "Create the database, or set the right NAME."),
    (
        r"could not translate|[Nn]ame or service not known|resolve",
        "Set the right HOST: no such name is known.",
    ),
    (r"[Cc]onnection refused|No such file", "Start the server, or set the right HOST and PORT."),
    (
        r"time(d )?out|timeout",
        "The server, or a proxy before it, doesn't answer: look at its log, and at firewalls.",
    ),
    (r"SSL|TLS|certificate|pg_hba", "Set sslmode in OPTIONS, or in the URL, to what the server demands."),
    (r"too many (clients|connections)|remaining connection slots", "Raise max_connections of the server."),
)


def database_checks() -> dict[str, Callable[[], Iterator[Finding]]]:
    """Return a check of each database by its subject."""
    return {f"database {alias}": partial(check_database, alias) for alias in connections}


def check_database(alias: str) -> Iterator[Finding]:
    """Examine a database, as far as it can be reached."""
    subject, connection = f"database {alias}", connections[alias]
    began_at = time.monotonic()
    try:
        connection.ensure_connection()
        server = _server(connection)
    except Exception as error:  # noqa: BLE001 - also a driver that is missing, or a server that is too old
        text = first_line(error)
        remedy = next((remedy for pattern, remedy in REMEDIES if re.search(pattern, str(error))), None)
        yield problem(subject, f"can't be used: {text}", remedy or f"Correct DATABASES[{alias!r}].")
        return
    yield ok(subject, f"{server}, connected in {(time.monotonic() - began_at) * 1_000:.0f} ms")
    if connection.vendor in ("postgresql", "risingwave"):
        _limit_queries(connection, live_settings.QUERY_TIMEOUT_SECONDS)
        yield from examine(subject, _check_clock(subject, connection))
    is_of_rankings = any(router.db_for_read(ranking.model) == alias for ranking in RANKINGS.values())
    is_of_users = router.db_for_read(get_user_model()) == alias
    if is_of_rankings or is_of_users:
        yield from examine(f"{subject}, migrations", _check_migrations(subject, connection))
    if is_of_users and connection.vendor == "postgresql":
        yield from _check_tables_of_users(subject, connection)
    if router.db_for_write(Record) == alias:
        yield from examine(f"{subject}, history", check_history(f"{subject}, history"))
    if is_of_rankings:
        yield from examine(f"{subject}, rankings", check_rankings(alias))


def _server(connection: Any) -> str:
    if connection.vendor == "risingwave":
        return str(connection.server_name)
    version = ".".join(map(str, connection.get_database_version()))
    return f"{connection.display_name} {version}"


def _limit_queries(connection: Any, seconds: float) -> None:
    if connection.vendor == "risingwave":
        connection.limit_queries(seconds)
    else:
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {int(seconds * 1_000)}")


def _check_clock(subject: str, connection: Any) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        before = datetime.now(UTC)
        cursor.execute("SELECT now()")
        ((now,),) = cursor.fetchall()
        after = datetime.now(UTC)
    # What the way there and back took is no difference.
    difference = max((now - after).total_seconds(), (before - now).total_seconds(), 0.0)
    if difference > MAX_CLOCK_DIFFERENCE_SECONDS:
        yield advice(
            subject,
            f"its clock differs from this machine's by {difference:.0f} s",
            "Synchronise both with NTP: sessions expire, and ages are shown, by these clocks.",
        )
    else:
        yield ok(subject, "its clock agrees with this machine's")


def _check_migrations(subject: str, connection: Any) -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        yield ok(subject, "all migrations are applied")
        return
    names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in plan[:3])
    more = f" and {len(plan) - 3} more" if len(plan) > 3 else ""
    yield problem(
        subject,
        f"migrations aren't applied: {names}{more}",
        f"Run: manage.py migrate --database {connection.alias}",
    )


def _check_tables_of_users(subject: str, connection: Any) -> Iterator[Finding]:
    """Check that the site may read users, and write sessions if these are in the database."""
    wanted: dict[str, tuple[str, ...]] = {get_user_model()._meta.db_table: ("SELECT", "UPDATE")}
    if apps.is_installed("django.contrib.sessions"):
        wanted[apps.get_model("sessions", "Session")._meta.db_table] = (
            "SELECT",
            "INSERT",
            "UPDATE",
            "DELETE",
        )
    for table, privileges in wanted.items():
        missing = []
        try:
            with connection.cursor() as cursor:
                for privilege in privileges:
                    cursor.execute(
                        "SELECT has_table_privilege(%s, %s)", [connection.ops.quote_name(table), privilege]
                    )
                    ((is_allowed,),) = cursor.fetchall()
                    if not is_allowed:
                        missing.append(privilege)
        except Error as error:
            yield problem(subject, f"table {table}: {first_line(error)}", "Run: manage.py migrate")
            continue
        if missing:
            grant = f"GRANT {', '.join(missing)} ON {table} TO {connection.settings_dict['USER']}"
            yield problem(
                subject, f"table {table}: this user lacks {', '.join(missing)}", f"Run there: {grant}"
            )
        else:
            yield ok(subject, f"table {table}: this user may {', '.join(privileges)}")

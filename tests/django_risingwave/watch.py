"""Watch the statements sent over the alias `risingwave`: RisingWave must accept each of them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.db.backends.signals import connection_created

from django_risingwave.testing.statements import violations

if TYPE_CHECKING:
    from collections.abc import Callable

# Parts of statements that only PostgreSQL is sent, and why. The rest of such a statement is checked all the
# same. RisingWave, or PostgreSQL taken for it, must not be sent any of them.
STANDIN_ONLY = {
    r"^.*\bstandin\..*$": "a materialized view's stand-in: standin/",
    r"^.*\bstandin_changes\..*$": "subscriptions of the stand-in: standin/changes.py",
    r'"_row_id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY(?:, )?': "RisingWave adds it: schema.py",
    r"GENERATED ALWAYS (?=AS \()|(?<=\)) STORED": "generated columns: schema.py",
    r"""CHECK \("\w+" > '-Infinity' AND "\w+" < 'Infinity'\)""": "floats that RisingWave refuses: fields.py",
    r"(?<=CURSOR )WITH HOLD (?=FOR )": "cursors that outlive a transaction: drivers/cursors.py",
    r'^LISTEN "risingwave_changes"$': "notifications of changes: streaming/notifications.py",
    r"^\s*SELECT\s+indexname,\s+array_agg\(attname.*$": "Django's own introspection: introspection.py",
}
# These tests write to the stand-in in every way that PostgreSQL has.
STANDIN_TESTS = "tests.django_risingwave.standin."

_standin_only = re.compile("|".join(STANDIN_ONLY), re.DOTALL)
_violations = lru_cache(maxsize=10_000)(violations)


def refusals(sql: str, *, is_risingwave: bool) -> list[str]:
    """Return why RisingWave would refuse the statement; an empty list if it would accept it."""
    if not _violations(sql):
        return []
    return violations(sql if is_risingwave else _standin_only.sub("", sql))


def statement_as_sent(connection: Any, cursor: Any, sql: Any, params: Any) -> str:
    """Return the statement as the driver sends it, with the parameters and their casts."""
    if params is None:
        return str(sql)
    return connection.ops.last_executed_query(cursor, sql, params) or str(sql)


class Watch:
    """Collect the statements that RisingWave would refuse, over all connections of all threads."""

    def __init__(self) -> None:
        self._refused: list[tuple[bool, str]] = []

    def start(self) -> None:
        """Watch each connection from its beginning."""
        connection_created.connect(self._on_connection)

    def take(self, module: str) -> list[str]:
        """Return the statements refused since the last call, which a test of `module` sent."""
        refused, self._refused = self._refused, []
        is_exempt = module.startswith(STANDIN_TESTS)
        return [text for is_risingwave, text in refused if is_risingwave or not is_exempt]

    def _on_connection(self, *, connection: Any, **kwargs: Any) -> None:
        if connection.vendor == "risingwave" and self not in connection.execute_wrappers:
            connection.execute_wrappers.insert(0, self)

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        connection, text = context["connection"], sql
        try:
            result = execute(sql, params, many, context)
            if not many:
                text = statement_as_sent(connection, context["cursor"].cursor, sql, params)
            return result
        finally:
            is_risingwave = connection.is_risingwave
            if found := refusals(text, is_risingwave=is_risingwave):
                self._refused.append((is_risingwave, f"{'; '.join(found)}: {text}"))

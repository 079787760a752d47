"""What stands on a view and isn't PostgreSQL's: sinks, and indexes of views. And changed names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django_risingwave.testing.double.errors import missing, used
from django_risingwave.testing.double.messages import complete, fields

if TYPE_CHECKING:
    from django_risingwave.testing.double.server import Double

_NAME = r'"?(\w+)"?'
_STATEMENTS = {
    "create_view": rf"CREATE MATERIALIZED VIEW (?:IF NOT EXISTS )?{_NAME} .*",
    "create_index": rf"CREATE INDEX (?:IF NOT EXISTS )?{_NAME} ON {_NAME} ?(\(.*)",
    "drop_index": rf"DROP INDEX (?:IF EXISTS )?{_NAME}",
    "create_sink": rf"CREATE SINK (?:IF NOT EXISTS )?{_NAME}(?: INTO \S+)? FROM {_NAME} ?(.*)",
    "drop_sink": rf"DROP SINK (?:IF EXISTS )?{_NAME}",
    "drop_view": rf"DROP MATERIALIZED VIEW (?:IF EXISTS )?{_NAME}( CASCADE)?",
    "swap": rf"ALTER (MATERIALIZED VIEW|VIEW|TABLE|SUBSCRIPTION) {_NAME} SWAP WITH {_NAME}",
    "rename": rf"ALTER (MATERIALIZED VIEW|VIEW|TABLE|SUBSCRIPTION|INDEX) {_NAME} RENAME TO {_NAME}",
    "grant": r"(GRANT SELECT ON) (SUBSCRIPTION|MATERIALIZED VIEW|VIEW) (.*?)(?: WITH GRANT OPTION)?",
}
_PATTERNS = {name: re.compile(pattern, re.DOTALL) for name, pattern in _STATEMENTS.items()}


class Attached:
    """The statements about them."""

    def __init__(self, double: Double) -> None:
        self.double = double

    def translate(self, sql: str) -> str | bytes | None:
        """Return the statement that PostgreSQL is sent instead, or the answer, or None for others."""
        for name, pattern in _PATTERNS.items():
            if match := pattern.fullmatch(sql):
                translated: str | bytes | None = getattr(self, f"_{name}")(*match.groups())
                return translated
        return None

    def _create_view(self, name: str) -> None:
        self.double.views.add(name)
        for index in [index for index, (source, _) in self.double.view_indexes.items() if source == name]:
            # Of a view that was dropped.
            del self.double.view_indexes[index]

    def _create_index(self, name: str, source: str, columns: str) -> bytes | None:
        if source not in self.double.views:
            return None
        self.double.view_indexes[name] = source, columns
        return complete("CREATE_INDEX")

    def _drop_index(self, name: str) -> bytes | None:
        return complete("DROP_INDEX") if self.double.view_indexes.pop(name, None) else None

    def _create_sink(self, name: str, source: str, options: str) -> bytes:
        self.double.sinks[name] = source
        self.double.sink_options[name] = options
        return complete("CREATE_SINK")

    def _drop_sink(self, name: str) -> bytes:
        if self.double.sinks.pop(name, None) is None:
            return fields(b"E", missing("sink", name))
        return complete("DROP_SINK")

    def _drop_view(self, view: str, cascade: str | None) -> bytes | None:
        found = [name for name, source in self.double.sinks.items() if source == view]
        if found and not cascade:
            return fields(b"E", used(f"sink public.{name}" for name in found))
        for name in found:
            del self.double.sinks[name]
        return None

    def _swap(self, kind: str, one: str, other: str) -> bytes | None:
        names = {one: other, other: one}
        if kind != "SUBSCRIPTION":
            self._change_sources(names)
            return None
        if missed := [name for name in names if name not in self.double.subscriptions]:
            return fields(b"E", missing("subscription", missed[0]))
        self._change_subscriptions(names)
        return complete("ALTER_SUBSCRIPTION")

    def _rename(self, kind: str, one: str, other: str) -> bytes | None:
        if kind == "INDEX":
            if one not in self.double.view_indexes:
                return None
            self.double.view_indexes[other] = self.double.view_indexes.pop(one)
            return complete("ALTER_INDEX")
        if kind == "SUBSCRIPTION":
            self._change_subscriptions({one: other})
            return complete("ALTER_SUBSCRIPTION")
        if one in self.double.views:
            self.double.views.add(other)
        self._change_sources({one: other})
        return None

    def _grant(self, start: str, kind: str, rest: str) -> str | bytes:
        return complete("GRANT_PRIVILEGE") if kind == "SUBSCRIPTION" else f"{start} {rest}"

    def _change_sources(self, names: dict[str, str]) -> None:
        """Let subscriptions, their cursors, sinks and indexes go on with their relations."""
        double = self.double
        for sources in (double.subscriptions, double.sinks):
            sources.update({name: names.get(source, source) for name, source in sources.items()})
        for index, (source, columns) in double.view_indexes.items():
            double.view_indexes[index] = names.get(source, source), columns
        with double.changed:
            moved = {names[name]: double.changes.pop(name) for name in names if name in double.changes}
            double.changes.update(moved)
        for session in double.sessions:
            for cursor in session.cursors.values():
                cursor.view = names.get(cursor.view, cursor.view)

    def _change_subscriptions(self, names: dict[str, str]) -> None:
        """Give subscriptions other names. Their order, and so their ids, stay."""
        double = self.double
        for known in (double.subscriptions, double.retentions, double.homes, double.retention_texts):
            renamed = {names.get(name, name): value for name, value in known.items()}
            known.clear()
            known.update(renamed)  # type: ignore[arg-type]  # the same values
        for session in double.sessions:
            for cursor in session.cursors.values():
                cursor.subscription = names.get(cursor.subscription, cursor.subscription)


def catalog_rows(double: Double) -> str:
    """Return SQL of subscriptions, sinks and indexes: (id, name, kind, source_id, definition, key_columns).

    The ids of each kind are in the order of their creation.
    """
    rows = [
        (
            number,
            name,
            "subscription",
            source,
            f"CREATE SUBSCRIPTION {name} FROM {source} WITH (retention = '{double.retention_texts[name]}')",
        )
        for number, (name, source) in enumerate(double.subscriptions.items(), 1)
    ]
    rows += [
        (
            100_000_000 + number,
            name,
            "sink",
            source,
            f"CREATE SINK {name} FROM {source} {double.sink_options[name]}",
        )
        for number, (name, source) in enumerate(double.sinks.items(), 1)
    ]
    rows += [
        (200_000_000 + number, name, "index", source, f"CREATE INDEX {name} ON {source} {columns}")
        for number, (name, (source, columns)) in enumerate(double.view_indexes.items(), 1)
    ]
    values = ", ".join(
        f"({number}, {_literal(name)}, {_literal(kind)}, to_regclass(quote_ident({_literal(source)}))::oid, "
        f"{_literal(definition)})"
        for number, name, kind, source, definition in rows
    )
    columns = "(id, name, kind, source_id, definition)"
    listed = f"VALUES {values}" if values else "SELECT NULL::int, NULL, NULL, NULL::oid, NULL WHERE false"
    return f"(SELECT * FROM ({listed}) AS listed {columns} WHERE source_id IS NOT NULL)"


def _literal(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))

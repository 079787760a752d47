"""The SQL of a view's stand-in that is a plain view of the same SELECT, which is right for any SELECT.

The tables that it reads, directly or through other views, notify of it: refresh_triggers() in functions.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from django_risingwave.standin.sql import quote


@dataclass(frozen=True)
class PlainView:
    """The SQL that creates a plain view, in strings of several statements."""

    name: str
    schema: str
    #: The SELECT, in PostgreSQL's SQL.
    query: str
    #: Why it isn't a summary; completes "because …".
    reason: str

    @property
    def comment(self) -> str:
        return f"a plain view of its SELECT, because {self.reason}"

    def create_sql(self) -> str:
        return create_view(self.schema, self.name, self.query)


def create_view(schema: str, name: str, query: str) -> str:
    """Return the SQL of a view that refuses writes, by which it counts as a materialized view."""
    view = f"{quote(schema)}.{quote(name)}"
    # A line of its own ends a comment at the end of the SELECT.
    return f"""CREATE VIEW {view} AS {query}
;
CREATE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON {view}
    FOR EACH ROW EXECUTE FUNCTION standin.refuse_write();"""

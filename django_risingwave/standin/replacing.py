"""The SQL that replaces views, and creates again what stands on them, as one transaction.

PostgreSQL changes a view only in few ways (CREATE OR REPLACE VIEW adds columns at the end), and a summary in
none. So all of them are dropped and created. Other sessions wait for the transaction, and miss no view.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlglot import exp

from django_risingwave.standin import catalog
from django_risingwave.standin.choosing import Chooser, Form
from django_risingwave.standin.leading import Totals
from django_risingwave.standin.sql import literal, quote
from django_risingwave.standin.summaries import Summary
from django_risingwave.streaming.definitions import (
    LeadingRowsDefinition,
    TotalsDefinition,
)
from django_risingwave.streaming.reading_sql import UnreadableSQLError, parse, relations_read
from django_risingwave.streaming.views import ViewDefinition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

View: TypeAlias = ViewDefinition | LeadingRowsDefinition | TotalsDefinition

# The SELECT of a view. That of a summary or of totals is kept as "<name>.query" in the schema `standin`.
_QUERY = """
    SELECT rtrim(pg_catalog.pg_get_viewdef(coalesce(to_regclass(%s), to_regclass(%s))), ';')
    /* standin.replacing */
"""
# What the stand-in keeps for a view: a table or an index; and whether the table is that of a summary.
_KEPT_KIND = """
    SELECT max(relkind::text), coalesce(bool_or(attname = '*.count'), false)
    FROM pg_catalog.pg_class JOIN pg_catalog.pg_attribute ON attrelid = pg_class.oid
    WHERE pg_class.oid = to_regclass(%s) /* standin.replacing */
"""
# What a view that is created again must be given again.
_GRANTS = """
    SELECT privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, is_grantable
    FROM pg_catalog.pg_class, aclexplode(relacl) /* standin.replacing */
    WHERE pg_class.oid = to_regclass(%s) AND grantee <> relowner
"""
_COMMENT = "SELECT obj_description(to_regclass(%s)::oid, 'pg_class') /* standin.replacing */"


@dataclass(frozen=True)
class _UsersView:
    """A view of a user's own, which isn't a materialized view, over one that is replaced."""

    name: str
    query: str


def replace_sql(cursor: Any, schema: str, changes: Sequence[tuple[View, View]]) -> tuple[str, list[str]]:
    """Return the statements that replace the first of each pair by the second.

    What reads the first is created again, from its recorded definition, after what it reads. Also return the
    names of all views that are created.
    """
    replaced = {old.name: new for old, new in changes}
    readers = catalog.get_readers(cursor, replaced)
    recorded = catalog.get_definitions(cursor)
    created: dict[str, View | _UsersView] = {new.name: new for new in replaced.values()}
    for name, (_, kind) in readers.items():
        if name not in replaced:
            created[name] = _find(cursor, schema, name, kind, recorded)
    dropped = sorted({*replaced, *readers}, key=lambda name: -readers.get(name, (0, ""))[0])
    statements = [catalog.drop_view_sql(cursor, schema, name) for name in dropped]
    chooser = Chooser(cursor, schema)
    statements += [_create_sql(chooser, schema, created[name]) for name in _in_order(created)]
    names = {new.name: old.name for old, new in changes}
    for name in created:
        old, new = (f"{quote(schema)}.{quote(each)}" for each in (names.get(name, name), name))
        statements += _grants(cursor, old, new)
    return "\n".join(statements), list(created)


def rename_sql(cursor: Any, schema: str, old: str, new: str) -> str:
    """Return the statements that rename a view and what keeps it up to date. Views that read it go on.

    Raises NotSupportedError if PostgreSQL would cut a name that is made from the new one.
    """
    recorded = catalog.get_definitions(cursor)
    found = _find(cursor, schema, old, "materialized view", recorded)
    if isinstance(found, _UsersView):
        raise TypeError(found)
    view = replace(found, name=new)
    form = Chooser(cursor, schema).choose(view)
    statements = [*catalog.rename_view_sql(cursor, schema, old, new), catalog.forget_sql(old)]
    if isinstance(form, Summary | Totals):
        statements.append(form.triggers_sql())
    statements.append(catalog.record_sql(view))
    for reader in recorded.values():
        if isinstance(reader, LeadingRowsDefinition | TotalsDefinition) and reader.source == old:
            statements += [catalog.forget_sql(reader.name), catalog.record_sql(replace(reader, source=new))]
    return "\n".join(statements)


def create_view_sql(definition: View, form: Form) -> str:
    """Return the statements that create and record a view of this form."""
    return f"""-- {quote(definition.name)} is {form.comment}.
{form.create_sql()}
{catalog.record_sql(definition)}"""


def _create_sql(chooser: Chooser, schema: str, view: View | _UsersView) -> str:
    if isinstance(view, _UsersView):
        name = quote(view.name)
        return f"-- {name} is created again.\nCREATE VIEW {quote(schema)}.{name} AS {view.query};"
    return create_view_sql(view, chooser.choose(view))


def _find(cursor: Any, schema: str, name: str, kind: str, recorded: Mapping[str, Any]) -> View | _UsersView:
    """Return the definition of a view that exists, which an older version may not have recorded."""
    if name in recorded:
        view: View = recorded[name]
        return view
    kept, shown = f"standin.{quote(name + '.query')}", f"{quote(schema)}.{quote(name)}"
    cursor.execute(_QUERY, [kept, shown])
    ((query,),) = cursor.fetchall()
    if kind != "materialized view":
        return _UsersView(name, query)
    cursor.execute(_KEPT_KIND, [f"standin.{quote(name)}"])
    ((relkind, is_summary),) = cursor.fetchall()
    if relkind == "i":
        return _leading_rows(name, query)
    return _totals(name, query) if relkind == "r" and not is_summary else ViewDefinition(name, query)


def _leading_rows(name: str, query: str) -> LeadingRowsDefinition:
    """Return the definition of leading rows from the SELECT of their view."""
    select = parse(query)
    key, measure = (column.alias_or_name for column in select.selects)
    (source,) = relations_read(query)
    return LeadingRowsDefinition(name, source, key, measure, int(select.args["limit"].expression.name))


def _totals(name: str, query: str) -> TotalsDefinition:
    """Return the definition of totals from the SELECT of their view."""
    total = parse(query).find(exp.Sum)
    (source,) = relations_read(query)
    return TotalsDefinition(name, source, None if total is None else total.this.name)


def _in_order(views: Mapping[str, View | _UsersView]) -> list[str]:
    """Return the names so that each view comes after those that it reads."""
    return list(
        TopologicalSorter({name: _reads(view) & views.keys() for name, view in views.items()}).static_order()
    )


def _reads(view: View | _UsersView) -> frozenset[str]:
    if isinstance(view, LeadingRowsDefinition | TotalsDefinition):
        return view.relations_read()
    query = view.query if isinstance(view, _UsersView) else view.standin or view.query
    try:
        return ViewDefinition(view.name, query).relations_read() - {view.name}
    except UnreadableSQLError:
        # PostgreSQL may read it. Its dependencies, if there are any, come first by their position.
        return frozenset()


def _grants(cursor: Any, old: str, new: str) -> list[str]:
    """Return the statements that give the new view the grants and the comment of the old one."""
    cursor.execute(_GRANTS, [old])
    statements = [
        f"GRANT {privilege} ON {new} TO {role}{' WITH GRANT OPTION' if is_grantable else ''};"
        for privilege, role, is_grantable in cursor.fetchall()
    ]
    cursor.execute(_COMMENT, [old])
    ((comment,),) = cursor.fetchall()
    return statements if comment is None else [*statements, f"COMMENT ON VIEW {new} IS {literal(comment)};"]

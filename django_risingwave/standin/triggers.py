"""The SQL of triggers that see what a statement, or logical replication, has written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django_risingwave.standin.sql import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The transition tables of a statement's trigger, by its event. TRUNCATE has none.
TRANSITION_TABLES = {
    "insert": "REFERENCING NEW TABLE AS new_rows",
    "update": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "REFERENCING OLD TABLE AS old_rows",
    "truncate": "",
}


def rows_of(table: str, *, is_mirrored: bool) -> str:
    """Return what a trigger's function reads as `new_rows` or `old_rows`.

    The trigger of a mirrored table sees one row: https://www.postgresql.org/docs/18/plpgsql-trigger.html
    """
    return f"(SELECT {'NEW' if table == 'new_rows' else 'OLD'}.*)" if is_mirrored else table


def create_triggers(
    name: str, table: str, actions: Mapping[str, str], *, is_mirrored: bool, before: str = ""
) -> str:
    """Return the SQL of a function `standin.<name>` and of triggers on a table that call it.

    `actions` has the statements of PL/pgSQL for each event: insert, update, delete or truncate. They read
    rows_of("new_rows") and rows_of("old_rows"), and may use standin_changed, standin_emptied and
    standin_floor; the statements `before` come first. `table` is quoted already; `is_mirrored` tells that
    logical replication fills it, which fires triggers for each row only.
    """
    cases = "\n".join(f"    WHEN '{event.upper()}' THEN\n        {actions[event]}" for event in actions)
    triggers = "\n".join(_create_trigger(name, table, event, is_mirrored=is_mirrored) for event in actions)
    # A user who may write to the table needs no rights in `standin`, whatever the session's search_path.
    return f"""CREATE FUNCTION standin.{quote(name)}() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
#variable_conflict use_column
DECLARE
    standin_changed bigint;
    standin_emptied tid[];
    standin_floor timestamptz;
BEGIN
    {before}
    CASE TG_OP
{cases}
    END CASE;
    RETURN NULL;
END
$function$;
-- Nobody else may create a trigger with it, which would write to `standin` in the owner's name.
REVOKE EXECUTE ON FUNCTION standin.{quote(name)}() FROM PUBLIC;
{triggers}"""


def _create_trigger(name: str, table: str, event: str, *, is_mirrored: bool) -> str:
    trigger = quote(f"{name}_{event}")
    by_row = is_mirrored and event != "truncate"
    tables = "" if by_row else TRANSITION_TABLES[event]
    sql = (
        f"CREATE TRIGGER {trigger} AFTER {event.upper()} ON {table} {tables} "
        f"FOR EACH {'ROW' if by_row else 'STATEMENT'} EXECUTE FUNCTION standin.{quote(name)}();"
    )
    # The worker of logical replication fires no others.
    if is_mirrored or table.startswith("standin."):
        sql += f"\nALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger};"
    return sql


def create_lock(table: str, *, is_mirrored: bool) -> str:
    """Return the SQL of the trigger on a summary's source that lets its writers take turns."""
    level = "ROW" if is_mirrored else "STATEMENT"
    always = f"\nALTER TABLE {table} ENABLE ALWAYS TRIGGER standin_lock;" if is_mirrored else ""
    return (
        f"CREATE OR REPLACE TRIGGER standin_lock BEFORE INSERT OR UPDATE OR DELETE ON {table}\n"
        f"    FOR EACH {level} EXECUTE FUNCTION standin.lock_writers();{always}"
    )

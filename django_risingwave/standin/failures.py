"""Explains why PostgreSQL could not create a view, in the words of the declaration."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django_risingwave.standin.translation import refusal

if TYPE_CHECKING:
    from django.db import Error

# What PostgreSQL reports if it can't run a SELECT that is right on RisingWave. Errors in names of tables or
# columns aren't among them. https://www.postgresql.org/docs/18/errcodes-appendix.html
_NOT_POSTGRESQL = {
    "42601": "syntax_error",
    "42704": "undefined_object",
    "42725": "ambiguous_function",
    "42804": "datatype_mismatch",
    "42809": "wrong_object_type",
    "42883": "undefined_function",
    "42P20": "windowing_error",
}
_UNDEFINED_COLUMN = "42703"
_VIEW = re.compile(r'^CREATE VIEW "(?:[^"]|"")*"\."((?:[^"]|"")*)"', re.MULTILINE)


def explain(error: Error, sql: str) -> Error | None:
    """Return the error of a statement in `sql`, with the name of the view that it was to create, if any.

    It is a NotSupportedError with the remedy if PostgreSQL can't say what the view's SELECT says.
    """
    driver: Any = error.__cause__
    diagnostics = getattr(driver, "diag", None)
    code, position = getattr(diagnostics, "sqlstate", None), getattr(diagnostics, "statement_position", None)
    created = list(_VIEW.finditer(sql, 0, int(position))) if position else []
    if not created:
        return None
    view = created[-1][1].replace('""', '"')
    text = str(error).splitlines()[0]
    if code in _NOT_POSTGRESQL or (code == _UNDEFINED_COLUMN and "_row_id" in text):
        return refusal(view, text)
    return type(error)(f"View {view!r} can't be created: {text}")

"""How Django's functions and lookups are written: one decision for each that PostgreSQL writes its own way.

Django asks an expression for `as_<vendor>()`, and takes the generic `as_sql()` where there is none. What
PostgreSQL writes its own way is `as_postgresql()`; this backend's vendor is another, so each of these needs
its `as_risingwave()`. Sources are src/expr/impl/src/scalar and src/frontend/src/binder/expr/function/
builtin_scalar.rs at v3.0.3, which lists the functions that there are.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.functions import RandomUUID
from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import NotSupportedError
from django.db.models import Aggregate, Value, functions
from django.db.models.expressions import Col, Subquery, Window, WindowFrame, WindowFrameExclusion
from django.db.models.fields.json import HasKeyLookup, KeyTransform
from django.db.models.fields.tuple_lookups import TupleExact, TupleIn, TupleIsNull, TupleLookupMixin
from django.db.models.functions.mixins import FixDecimalInputMixin
from django.db.models.functions.text import ConcatPair, PostgreSQLSHAMixin
from django.db.models.functions.window import LagLeadFunction
from django.db.models.lookups import IntegerFieldOverflow, PostgresOperatorLookup
from django.db.models.sql import Query

from django_risingwave.columns.keys import holds_keys
from django_risingwave.expressions.subqueries import aggregate_as_risingwave

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models.sql.compiler import SQLCompiler

    from django_risingwave.base import DatabaseWrapper

_METHOD = "as_risingwave"

# RisingWave takes what PostgreSQL's method writes.
_AS_POSTGRESQL: tuple[Any, ...] = (
    ConcatPair,  # a || b, with what isn't text cast to text
    FixDecimalInputMixin,  # MOD() of numerics: there is none of floats
    HasKeyLookup,  # jsonb ? text, jsonb ?| text[], jsonb ?& text[]
    KeyTransform,  # jsonb -> text, jsonb -> int, jsonb #> text[]
    PostgresOperatorLookup,  # jsonb @> jsonb, jsonb <@ jsonb
    functions.JSONArray,  # JSONB_BUILD_ARRAY(…); the newer JSON_ARRAY(… RETURNING …) isn't there
    functions.JSONObject,  # JSONB_BUILD_OBJECT(…), for the same reason
    functions.StrIndex,  # STRPOS(text, text)
)
# Django's generic SQL is right, and where it isn't to be had raises NotSupportedError itself: the features
# say that there are no UUID functions, for there is no uuid type. Of Django 6.1.
_GENERIC = tuple(getattr(functions, name) for name in ("UUID4", "UUID7") if hasattr(functions, name))
# src/expr/core/src/window_function/kind.rs
_MISSING_WINDOW_FUNCTIONS: tuple[Any, ...] = (
    functions.CumeDist,
    functions.NthValue,
    functions.Ntile,
    functions.PercentRank,
)


def register_functions() -> None:
    """Give Django's classes their `as_risingwave()`. Doing it again changes nothing."""
    for function in _AS_POSTGRESQL:
        setattr(function, _METHOD, function.as_postgresql)
    for function in _GENERIC:
        setattr(function, _METHOD, function.as_sql)
    for function in _MISSING_WINDOW_FUNCTIONS:
        setattr(function, _METHOD, _refuse(f"RisingWave has no window function {function.function}()."))
    setattr(
        RandomUUID,
        _METHOD,
        _refuse("RisingWave has no GEN_RANDOM_UUID(). Make the UUID in Python: default=uuid.uuid4."),
    )
    written: dict[Any, Any] = {
        Aggregate: aggregate_as_risingwave,
        IntegerFieldOverflow: _integer_lookup,
        TupleLookupMixin: _tuple_lookup,
        TupleIsNull: TupleIsNull.as_sql,
        PostgreSQLSHAMixin: _sha,
        LagLeadFunction: _lag_or_lead,
        Window: _window,
        WindowFrame: _window_frame,
        functions.Cast: _cast,
        functions.Collate: _collate,
        functions.Log: _log,
        functions.Now: _now,
    }
    for function, method in written.items():
        setattr(function, _METHOD, method)


def _refuse(message: str) -> Callable[..., Any]:
    def refuse(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
        raise NotSupportedError(message)

    return refuse


def _cast(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Cast as to PostgreSQL's varchar(n) and numeric(p, s): RisingWave's types have no arguments."""
    template = "(%(expressions)s)::%(db_type)s"
    field = node.output_field
    internal_type = field.get_internal_type()
    if internal_type == "DecimalField" and field.decimal_places is not None:
        template = f"ROUND({template}, {int(field.decimal_places)})"
    elif internal_type == "CharField" and field.max_length is not None:
        template = f"LEFT({template}, {int(field.max_length)})"
    return node.as_sql(compiler, connection, template=template, **context)


def _collate(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Refuse what isn't there: src/frontend/src/binder/expr/mod.rs (bind_collate)."""
    if node.collation not in ("C", "POSIX"):
        raise NotSupportedError(f'RisingWave has no collation but "C" and "POSIX", not {node.collation!r}.')
    return node.as_sql(compiler, connection, **context)


def _integer_lookup(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Find keys in integer fields that hold them: Django takes a number beyond the field's range for none."""
    try:
        return node.as_sql(compiler, connection, **context)
    except (EmptyResultSet, FullResultSet):
        if not (isinstance(node.rhs, int) and holds_keys(vars(node.lhs.output_field))):
            raise
    node = copy(node)
    node.rhs = Value(node.rhs)
    return node.as_sql(compiler, connection, **context)


def _lag_or_lead(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Refuse a default, which is not implemented: src/frontend/src/expr/window_function.rs."""
    if len(node.get_source_expressions()) > 2:  # the expression and the offset
        raise NotSupportedError(
            f"{node.function}() of RisingWave has no default. Put Coalesce() around the window."
        )
    return node.as_sql(compiler, connection, **context)


def _log(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Write log(b, x), which isn't there, as LN(x) / LN(b)."""
    base, number = node.get_source_expressions()
    clone = node.copy()
    clone.set_source_expressions([functions.Ln(number), functions.Ln(base)])
    return clone.as_sql(compiler, connection, template="(%(expressions)s)", arg_joiner=" / ", **context)


def _now(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Write STATEMENT_TIMESTAMP(), which isn't there, as NOW(): without transactions they are the same."""
    return node.as_sql(compiler, connection, template="NOW()", **context)


def _sha(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Write DIGEST(), which isn't there, by the function of each algorithm; they take and give bytea.

    https://www.postgresql.org/docs/18/functions-binarystring.html
    """
    if node.function == "SHA1" and not connection.is_risingwave:
        raise NotSupportedError("PostgreSQL, which is in RisingWave's place, has no SHA1(). Use SHA256.")
    template = "ENCODE(%(function)s(CONVERT_TO(%(expressions)s, 'UTF8')), 'hex')"
    return node.as_sql(compiler, connection, template=template, **context)


def _tuple_lookup(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Write (a, b) = (c, d) as Django does for databases without rows, and with a subquery as EXISTS.

    There a subquery returns one column only (src/frontend/planner_test/tests/testdata/output/
    subquery_expr_correlated.yaml), and rows of values are compared as structs, in which NULL is a value.
    EXISTS is false, not NULL, where the subquery has no row.
    """
    if not isinstance(node.rhs, Query | Subquery):
        return node.get_fallback_sql(compiler, connection)
    columns = [_column("_tuples", number, column.output_field) for number, column in enumerate(node.lhs)]
    compare = (TupleExact if isinstance(node, TupleIn) else type(node))(node.lhs, columns)
    condition, params = compare.get_fallback_sql(compiler, connection)
    query, query_params = node.process_rhs(compiler, connection)
    names = ", ".join(f'"{column.target.column}"' for column in columns)
    return (
        f'EXISTS (SELECT 1 FROM {query} AS "_tuples" ({names}) WHERE {condition})',  # noqa: S608 - Django's
        (*query_params, *params),
    )


def _column(table: str, number: int, field: Any) -> Col:
    column = copy(field)
    column.column = f"column{number}"
    return Col(table, column, field)


def _window(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Refuse FILTER, which in a window is not implemented (src/frontend/src/binder/expr/function/mod.rs)."""
    if getattr(node.source_expression, "filter", None) is not None:
        raise NotSupportedError(
            "RisingWave has no FILTER in a window. Put the condition into the aggregate: "
            "Sum(Case(When(condition, then=...)))."
        )
    return node.as_sql(compiler, connection, **context)


def _window_frame(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Refuse what is "not supported yet": src/frontend/src/binder/expr/function/window.rs."""
    if node.exclusion in (WindowFrameExclusion.GROUP, WindowFrameExclusion.TIES):
        raise NotSupportedError(
            f"RisingWave has no EXCLUDE {node.exclusion.value}, only EXCLUDE CURRENT ROW and NO OTHERS."
        )
    return node.as_sql(compiler, connection, **context)

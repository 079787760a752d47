"""SQL of Django's functions and lookups: one decision for each that has SQL of its own for PostgreSQL.

Django calls an expression's `as_<vendor>()`, or the generic `as_sql()` if there is none. This backend's
vendor isn't "postgresql", so each expression with an `as_postgresql()` needs an `as_risingwave()`. The
functions of RisingWave are listed in src/expr/impl/src/scalar and
src/frontend/src/binder/expr/function/builtin_scalar.rs at v3.0.3.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.lookups import Overlap
from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import NotSupportedError
from django.db.models import Aggregate, Value, functions
from django.db.models.expressions import Subquery, Window, WindowFrame
from django.db.models.fields.json import HasKeyLookup, KeyTransform
from django.db.models.fields.tuple_lookups import TupleIsNull, TupleLookupMixin
from django.db.models.functions.datetime import Extract, TruncBase
from django.db.models.functions.mixins import FixDecimalInputMixin
from django.db.models.functions.text import ConcatPair, PostgreSQLSHAMixin
from django.db.models.functions.window import LagLeadFunction
from django.db.models.lookups import Exact, In, IntegerFieldOverflow, PostgresOperatorLookup, YearLookup
from django.db.models.query_utils import FilteredRelation
from django.db.models.sql import Query
from django.db.models.sql.where import WhereNode

from django_risingwave.columns.keys import holds_keys
from django_risingwave.expressions import jsonb
from django_risingwave.expressions.datetimes import part_as_risingwave, year_as_risingwave
from django_risingwave.expressions.in_subquery import (
    in_as_risingwave,
    tuple_as_risingwave,
    where_as_risingwave,
)
from django_risingwave.expressions.scalar_subqueries import (
    exact_as_risingwave,
    query_as_risingwave,
    subquery_as_risingwave,
)
from django_risingwave.expressions.subqueries import (
    aggregate_as_risingwave,
    filtered_relation_as_risingwave,
)
from django_risingwave.expressions.text import CASE_INSENSITIVE, ignore_case
from django_risingwave.expressions.windows import lag_or_lead, window, window_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models.sql.compiler import SQLCompiler

    from django_risingwave.base import DatabaseWrapper

_METHOD = "as_risingwave"

# RisingWave supports PostgreSQL's SQL.
_AS_POSTGRESQL: tuple[Any, ...] = (
    ConcatPair,  # a || b, with a cast to text of other types
    FixDecimalInputMixin,  # MOD() of numerics; neither server has one of floats
    HasKeyLookup,  # jsonb ? text, jsonb ?| text[], jsonb ?& text[]
    KeyTransform,  # jsonb -> text, jsonb -> int, jsonb #> text[]
    PostgresOperatorLookup,  # jsonb @> jsonb, jsonb <@ jsonb
    functions.JSONArray,  # JSONB_BUILD_ARRAY(…); RisingWave lacks JSON_ARRAY(… RETURNING …)
    functions.JSONObject,  # JSONB_BUILD_OBJECT(…), likewise
    functions.StrIndex,  # STRPOS(text, text)
)
# The generic as_sql() raises NotSupportedError, since supports_uuid4_function is False. New in Django 6.1.
_GENERIC = tuple(getattr(functions, name) for name in ("UUID4", "UUID7") if hasattr(functions, name))
# src/expr/core/src/window_function/kind.rs
_MISSING_WINDOW_FUNCTIONS: tuple[Any, ...] = (
    functions.CumeDist,
    functions.NthValue,
    functions.Ntile,
    functions.PercentRank,
)


def register_functions() -> None:
    """Add `as_risingwave()` to Django's classes. Calling it again changes nothing."""
    for function in _AS_POSTGRESQL:
        setattr(function, _METHOD, function.as_postgresql)
    for function in _GENERIC:
        setattr(function, _METHOD, function.as_sql)
    for function in _MISSING_WINDOW_FUNCTIONS:
        setattr(
            function,
            _METHOD,
            _refuse(f"RisingWave doesn't support the window function {function.function}()."),
        )
    setattr(
        RandomUUID,
        _METHOD,
        _refuse(
            "RisingWave doesn't have GEN_RANDOM_UUID(). Generate the UUID in Python: default=uuid.uuid4."
        ),
    )
    setattr(
        Overlap,
        _METHOD,
        _refuse("RisingWave 2.8 doesn't support `overlap`. Combine one `contains` per element with `|`."),
    )
    written: dict[Any, Any] = {
        Aggregate: aggregate_as_risingwave,
        Extract: part_as_risingwave,
        IntegerFieldOverflow: _integer_lookup,
        TupleLookupMixin: _tuple_lookup,
        TruncBase: part_as_risingwave,
        TupleIsNull: TupleIsNull.as_sql,
        PostgreSQLSHAMixin: _sha,
        LagLeadFunction: lag_or_lead,
        Window: window,
        WindowFrame: window_frame,
        YearLookup: year_as_risingwave,
        functions.Cast: _cast,
        functions.Collate: _collate,
        functions.Log: _log,
        functions.Now: _now,
        # Subqueries.
        Exact: exact_as_risingwave,
        FilteredRelation: filtered_relation_as_risingwave,
        In: in_as_risingwave,
        Query: query_as_risingwave,
        Subquery: subquery_as_risingwave,
        WhereNode: where_as_risingwave,
    }
    written |= dict.fromkeys(CASE_INSENSITIVE, ignore_case)
    written |= dict.fromkeys(jsonb.COMPARISONS, jsonb.compare)
    written |= dict.fromkeys(jsonb.ORDERS, jsonb.order)
    for function, method in written.items():
        setattr(function, _METHOD, method)


def _refuse(message: str) -> Callable[..., Any]:
    def refuse(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
        raise NotSupportedError(message)

    return refuse


def _cast(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Cast as PostgreSQL does to varchar(n) and numeric(p, s): RisingWave's types have no arguments."""
    template = "(%(expressions)s)::%(db_type)s"
    field = node.output_field
    internal_type = field.get_internal_type()
    if internal_type == "DecimalField" and field.decimal_places is not None:
        template = f"ROUND({template}, {int(field.decimal_places)})"
    elif internal_type == "CharField" and field.max_length is not None:
        template = f"LEFT({template}, {int(field.max_length)})"
    return node.as_sql(compiler, connection, template=template, **context)


def _collate(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Refuse collations that RisingWave lacks: bind_collate in src/frontend/src/binder/expr/mod.rs."""
    if node.collation not in ("C", "POSIX"):
        raise NotSupportedError(
            f'RisingWave only supports the collations "C" and "POSIX", not {node.collation!r}.'
        )
    return node.as_sql(compiler, connection, **context)


def _integer_lookup(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Find automatic keys in integer fields: Django returns no rows for numbers beyond the field's range."""
    try:
        if isinstance(node, Exact):
            return exact_as_risingwave(node, compiler, connection, **context)
        return node.as_sql(compiler, connection, **context)
    except (EmptyResultSet, FullResultSet):
        if not (isinstance(node.rhs, int) and holds_keys(vars(node.lhs.output_field))):
            raise
    node = copy(node)
    node.rhs = Value(node.rhs)
    return node.as_sql(compiler, connection, **context)


def _log(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Write LN(x) / LN(b) instead of LOG(b, x), which RisingWave lacks."""
    base, number = node.get_source_expressions()
    clone = node.copy()
    clone.set_source_expressions([functions.Ln(number), functions.Ln(base)])
    return clone.as_sql(compiler, connection, template="(%(expressions)s)", arg_joiner=" / ", **context)


def _now(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Write NOW() instead of STATEMENT_TIMESTAMP(), which RisingWave lacks.

    RisingWave's NOW() is the time of its last barrier, up to a second before the clock.
    """
    return node.as_sql(compiler, connection, template="NOW()", **context)


def _sha(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Write SHA256(bytea) and the like instead of DIGEST(), which RisingWave lacks.

    https://www.postgresql.org/docs/18/functions-binarystring.html
    """
    if node.function == "SHA1" and not connection.is_risingwave:
        raise NotSupportedError("The PostgreSQL stand-in doesn't have SHA1(). Use SHA256.")
    template = "ENCODE(%(function)s(CONVERT_TO(%(expressions)s, 'UTF8')), 'hex')"
    return node.as_sql(compiler, connection, template=template, **context)


def _tuple_lookup(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Compare column by column, not (a, b) = (c, d): RisingWave's rows are structs, in which NULL = NULL."""
    if isinstance(node.rhs, Query | Subquery):
        return tuple_as_risingwave(node, compiler, connection)
    return node.get_fallback_sql(compiler, connection)

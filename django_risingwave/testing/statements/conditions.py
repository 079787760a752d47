"""Conditions on a statement that a pattern can't express."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django_risingwave.testing.statements.tokens import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.testing.statements.tokens import Statement

# Types that can have arguments (parser.rs, parse_data_type).
_TYPES_WITH_ARGUMENTS = words("NUMERIC DECIMAL FLOAT CHAR CHARACTER VECTOR MAP STRUCT")

# Types that the binder supports: src/frontend/src/binder/expr/mod.rs (bind_data_type, and bind_cast for
# reg*).
_TYPES = _TYPES_WITH_ARGUMENTS | words(
    "BOOLEAN BOOL SMALLINT INT2 INT INTEGER INT4 BIGINT INT8 REAL FLOAT4 DOUBLE FLOAT8 VARCHAR TEXT "
    "STRING DATE TIME TIMESTAMP TIMESTAMPTZ INTERVAL BYTEA JSONB RW_INT256 OID REGCLASS REGTYPE REGPROC "
    "NAME"
)

# Absent from src/frontend/src/binder/expr/function/builtin_scalar.rs, from the window functions
# (src/expr/core/src/window_function/kind.rs) and from the aggregates (AggCall in proto/expr.proto).
_MISSING_FUNCTIONS = words(
    "NTILE NTH_VALUE PERCENT_RANK CUME_DIST CORR COVAR_POP COVAR_SAMP EVERY XMLAGG JSON_AGG "
    "JSON_OBJECT_AGG STATEMENT_TIMESTAMP TRANSACTION_TIMESTAMP CLOCK_TIMESTAMP AGE MAKE_INTERVAL "
    "JUSTIFY_DAYS JUSTIFY_HOURS JUSTIFY_INTERVAL TO_NUMBER SETSEED TXID_CURRENT GEN_RANDOM_UUID "
    "ROW_TO_JSON JSON_OBJECT JSON_ARRAY JSON_BUILD_OBJECT JSON_BUILD_ARRAY NEXTVAL SETVAL DIGEST "
    "UNACCENT HOST TO_TSVECTOR TO_TSQUERY"
)

# From AggCall in proto/expr.proto, those that Django or its users call.
_AGGREGATES = words(
    "COUNT SUM AVG MIN MAX STDDEV_POP STDDEV_SAMP VAR_POP VAR_SAMP STRING_AGG ARRAY_AGG JSONB_AGG "
    "JSONB_OBJECT_AGG BOOL_AND BOOL_OR BIT_AND BIT_OR BIT_XOR"
)

# src/common/src/session_config/mod.rs; any other is an "unrecognized configuration parameter".
_SETTINGS = words(
    "APPLICATION_NAME BACKGROUND_DDL BACKFILL_RATE_LIMIT BATCH_EXPR_STRICT_MODE BATCH_PARALLELISM "
    "BYTEA_OUTPUT CLIENT_ENCODING CLIENT_MIN_MESSAGES DATESTYLE DML_WAIT_PERSISTENCE "
    "ENABLE_MV_SELECTION EXTRA_FLOAT_DIGITS IDLE_IN_TRANSACTION_SESSION_TIMEOUT IMPLICIT_FLUSH "
    "INTERVALSTYLE LOCK_TIMEOUT QUERY_EPOCH QUERY_MODE ROW_SECURITY RW_IMPLICIT_FLUSH SEARCH_PATH "
    "STANDARD_CONFORMING_STRINGS STATEMENT_TIMEOUT STREAMING_PARALLELISM SYNCHRONIZE_SEQSCANS TIMEZONE "
    "TRANSACTION_ISOLATION VISIBILITY_MODE"
)


def type_with_arguments(statement: Statement) -> bool:
    for start in statement.types:
        word, after = statement.word(start), start + 1
        if word in {"CHARACTER", "CHAR"} and statement.word(after) == "VARYING":
            word, after = "VARCHAR", start + 2
        if statement.word(after) == "(" and word not in _TYPES_WITH_ARGUMENTS:
            return True
    return False


def set_operation_in_expression(statement: Statement) -> bool:
    operators = {"UNION", "INTERSECT", "EXCEPT"}
    return any(
        statement.word(statement.closing(index + 1) + 1) in operators and _in_expression(statement, index)
        for index in statement.places("(", "(", "SELECT")
    )


def _in_expression(statement: Statement, index: int) -> bool:
    while statement.word(index - 1) == "(":
        index -= 1
    return bool(
        re.fullmatch(
            r"IN|WHERE|SELECT|AND|OR|NOT|THEN|WHEN|ELSE|HAVING|[-+*/<>=]+", statement.word(index - 1)
        )
    )


def select_read_as_function(statement: Statement) -> bool:
    # SELECT isn't reserved (keywords.rs, RESERVED_FOR_COLUMN_OR_TABLE_NAME): at the start of an expression,
    # `(SELECT (SELECT …` is parsed as a call of a function "select" first.
    return any(
        statement.word(index - 1) == "SELECT"
        or (statement.word(index - 1) == "(" and index - 2 in statement.calls)
        or (statement.word(index - 1) == "," and statement.clause(index) == "SELECT")
        for index in statement.places("(", "SELECT", "(", "SELECT")
    )


def unsupported_type(statement: Statement) -> bool:
    return any(
        statement.word(start) not in _TYPES or statement.word(start + 1) == "." for start in statement.types
    ) or any(
        statement.words[start : start + 4] == ("TIME", "WITH", "TIME", "ZONE") for start in statement.types
    )


def numeric_with_precision(statement: Statement) -> bool:
    return any(
        statement.word(start) in {"NUMERIC", "DECIMAL"} and statement.word(start + 1) == "("
        for start in statement.types
    )


def char_column(statement: Statement) -> bool:
    return any(
        statement.word(column.start + 1) in {"CHAR", "CHARACTER"}
        and statement.word(column.start + 2) != "VARYING"
        for column in statement.columns
    )


def column_constraint(*constraints: str) -> Callable[[Statement], bool]:
    def applies(statement: Statement) -> bool:
        return any(
            word in constraints
            for column in statement.columns
            for word in statement.words[column.start : column.stop]
        )

    return applies


def reserved_column(statement: Statement) -> bool:
    names = (statement.written[column.start].strip('"').lower() for column in statement.columns)
    return any(name == "_row_id" or name.startswith("_rw_") for name in names)


def other_collation(statement: Statement) -> bool:
    return any(
        (statement.written[index + 1 : index + 2] or ("",))[0] not in {'"C"', '"POSIX"'}
        for index in statement.places("COLLATE")
    )


def not_null_without_default(statement: Statement) -> bool:
    return statement.text.startswith("ALTER TABLE ") and any(
        "NULL" in (words := statement.words[column.start : column.stop])
        and "NOT" in words
        and "DEFAULT" not in words
        for column in statement.columns
    )


def missing_function(statement: Statement) -> bool:
    return any(
        (name := statement.words[index]) in _MISSING_FUNCTIONS or name.startswith("REGR_")
        for index in statement.calls
    )


def several_arguments(function: str) -> Callable[[Statement], bool]:
    return lambda statement: any(
        statement.words[index] == function and len(statement.items(index + 1)) > 1
        for index in statement.calls
    )


def filter_over(statement: Statement) -> bool:
    return any(
        statement.word(statement.closing(index + 1) + 1) == "OVER"
        for index in statement.places("FILTER", "(")
    )


def subquery_in_filter(statement: Statement) -> bool:
    return any(
        "SELECT" in statement.words[index : statement.closing(index + 1)]
        for index in statement.places("FILTER", "(")
    )


def subquery_in_aggregate(statement: Statement) -> bool:
    return any(
        statement.words[index] in _AGGREGATES
        and "SELECT" in statement.words[index : (end := statement.closing(index + 1))]
        and statement.word(end + 1) != "OVER"
        for index in statement.calls
    )


def subquery_in_group_by(statement: Statement) -> bool:
    for select in statement.places("SELECT"):
        clauses = statement.clauses(select)
        selected = statement.parts(clauses["SELECT"])
        for part in statement.parts(clauses.get("GROUP", range(0))):
            # GROUP BY 2 refers to the second selected expression.
            place = statement.written[part.stop - 1] if len(part) <= 2 else ""
            if place.isdigit() and int(place) <= len(selected):
                part = selected[int(place) - 1]  # noqa: PLW2901 - the expression that it refers to
            if "SELECT" in statement.words[part.start : part.stop]:
                return True
    return False


def correlated_next_to_aggregate(statement: Statement) -> bool:
    for select in statement.places("SELECT"):
        clauses = statement.clauses(select)
        aggregates = [
            range(index, statement.closing(index + 1))
            for index in statement.calls
            if statement.words[index] in {*_AGGREGATES, "FILTER"}
            and statement.word(statement.closing(index + 1) + 1) != "OVER"
        ]
        looked_at = [clauses[word] for word in ("SELECT", "HAVING", "ORDER") if word in clauses]
        if not {"GROUP", "HAVING"} & clauses.keys() and not any(
            call.start in clause and statement.select(call.start) == select
            for call in aggregates
            for clause in looked_at
        ):
            continue
        for clause in looked_at:
            for inner in clause:
                if (
                    statement.word(inner) == "("
                    and statement.word(inner + 1) == "SELECT"
                    and not any(inner in call for call in aggregates)
                    and statement.is_correlated(inner)
                ):
                    return True
    return False


def _windows(statement: Statement) -> Iterator[tuple[str, range]]:
    """Yield each window function and the places of the words in its window."""
    for over in statement.places("OVER", "("):
        if statement.word(over - 1) == ")":
            function = statement.word(statement.opening(over - 1) - 1)
            yield function, range(over + 2, statement.closing(over + 1))


def numbering_without_order(statement: Statement) -> bool:
    return any(
        function in {"RANK", "DENSE_RANK", "ROW_NUMBER"} and not statement.places_in(window, "ORDER")
        for function, window in _windows(statement)
    )


def default_frame(statement: Statement) -> bool:
    return any(
        function in _AGGREGATES | {"LAST_VALUE"}
        and statement.places_in(window, "ORDER")
        and not statement.places_in(window, "ROWS", "RANGE", "GROUPS")
        for function, window in _windows(statement)
    )


def range_of_other_orders(statement: Statement) -> bool:
    for _, window in _windows(statement):
        if units := statement.places_in(window, "RANGE"):
            order = statement.places_in(window, "ORDER")
            if not order or len(statement.parts(range(order[0] + 2, units[0]))) > 1:
                return True
    return False


def offset_as_time_zone(statement: Statement) -> bool:
    return any(
        re.search(r"[-+]\d\d(:?\d\d)*'$", statement.written[index + 3])
        for index in statement.places("AT", "TIME", "ZONE", "'s'")
    )


def row_in_subquery(statement: Statement) -> bool:
    for index in statement.places(")", "IN", "(", "SELECT"):
        start = statement.opening(index)
        if start - 1 not in _named_calls(statement) and len(statement.items(start)) > 1:
            return True
    return False


def _named_calls(statement: Statement) -> set[int]:
    keywords = {"WHERE", "AND", "OR", "NOT", "ON", "WHEN", "SELECT", "HAVING", "ROW"}
    return {index for index in statement.calls if statement.words[index] not in keywords}


def subquery_in_join_condition(statement: Statement) -> bool:
    return "JOIN" in statement.words and any(
        "SELECT" in statement.condition(index)
        for index in statement.places("ON")
        if statement.word(index - 1) != "DISTINCT"
    )


def unknown_setting(statement: Statement) -> bool:
    match = re.match(r"SET (?:LOCAL |SESSION )?([A-Z_]\w*) (?:TO|=) ", statement.text)
    return bool(
        match and match[1] not in _SETTINGS and not match[1].startswith(("RW_", "STREAMING_", "BATCH_"))
    )

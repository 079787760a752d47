"""The rules: what RisingWave refuses, in its own terms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django_risingwave.testing.statements import conditions, subqueries, values
from django_risingwave.testing.statements.tokens import NAME, QUALIFIED

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.testing.statements.tokens import Statement


@dataclass(frozen=True)
class Rule:
    """A refusal in the server's terms, and how to find statements that it applies to."""

    refusal: str
    applies: Callable[[Statement], object]


def _text(refusal: str, pattern: str) -> Rule:
    search = re.compile(pattern).search

    def applies(statement: Statement) -> object:
        return search(statement.text)

    return Rule(refusal, applies)


def _flat(refusal: str, pattern: str) -> Rule:
    search = re.compile(pattern).search

    def applies(statement: Statement) -> object:
        return search(statement.flat)

    return Rule(refusal, applies)


def _none_of(objects: str) -> str:
    return rf"(?!(?:{objects})\b)"


SYNTAX: tuple[Rule, ...] = (
    # parser.rs (parse_statement): the words that a statement can start with.
    _text(
        "expected statement: RisingWave has no statement of this kind",
        "^"
        + _none_of(
            "SELECT|WITH|VALUES|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|COMMENT|SET|SHOW|BEGIN|START|COMMIT|ROLLBACK|"
            "ABORT|DECLARE|FETCH|CLOSE|PREPARE|EXECUTE|DEALLOCATE|DISCARD|COPY|GRANT|REVOKE|EXPLAIN|DESCRIBE|"
            "TRUNCATE|ANALYZE|VACUUM|FLUSH|WAIT|RECOVER|CANCEL|KILL|USE|REFRESH"
        )
        + r"(?!\()",
    ),
    _text(
        "expected an object type after CREATE",
        r"^CREATE (?:OR REPLACE )?(?:TEMP |TEMPORARY )?"
        + _none_of(
            "OR|TEMP|TEMPORARY|TABLE|VIEW|MATERIALIZED|INDEX|UNIQUE|SCHEMA|DATABASE|USER|FUNCTION|AGGREGATE|SOURCE|"
            "SINK|SUBSCRIPTION|CONNECTION|SECRET"
        ),
    ),
    _text(
        "expected an object type after DROP",
        "^DROP "
        + _none_of(
            "TABLE|VIEW|INDEX|MATERIALIZED|SOURCE|SINK|SUBSCRIPTION|SCHEMA|DATABASE|USER|CONNECTION|FUNCTION|"
            "AGGREGATE|SECRET"
        ),
    ),
    _text(
        "expected an object type after ALTER",
        "^ALTER "
        + _none_of(
            "DATABASE|FRAGMENT|SCHEMA|TABLE|INDEX|MATERIALIZED|VIEW|SINK|SUBSCRIPTION|SOURCE|FUNCTION|CONNECTION|"
            "USER|SYSTEM|SECRET|DEFAULT"
        ),
    ),
    # Transactions and the session.
    _text("ROLLBACK TO: there are no savepoints", r"^ROLLBACK (?:WORK |TRANSACTION )?TO "),
    _text("two-phase commit", r"^(?:PREPARE TRANSACTION|COMMIT PREPARED|ROLLBACK PREPARED) "),
    _text("DEFERRABLE transactions", r"^(?:BEGIN|START) .*\bDEFERRABLE$"),
    _text(
        "expected '=' or 'TO' after config parameter",
        r"^SET (?!TIME ZONE |TRANSACTION |SESSION CHARACTERISTICS )"
        rf"(?!(?:LOCAL |SESSION )?{QUALIFIED} (?:TO|=))",
    ),
    _text("SET TIME ZONE INTERVAL", r"^SET TIME ZONE INTERVAL "),
    _text("VACUUM and ANALYZE without a table", r"^(?:VACUUM|ANALYZE)$"),
    _text("KILL takes a string", r"^KILL 0"),
    # RisingWave 2.8.0: expected end of statement, found: "q".
    Rule("a name with a double quote in it", values.name_with_quote),
    _text("GRANT and REVOKE of roles", r"^(?:GRANT|REVOKE) (?!.* ON )"),
    _flat("COPY … FROM", rf"^COPY {QUALIFIED} (?:\( \) )?FROM "),
    _flat("COPY … TO STDOUT with options", r"^COPY .*STDOUT ."),
    # Cursors: parse_declare_cursor, parse_fetch_cursor.
    _text(
        "DECLARE: expected CURSOR FOR (no HOLD, no SCROLL)",
        rf"^DECLARE {NAME} (?!(?:SUBSCRIPTION )?CURSOR FOR )",
    ),
    _text(
        "SINCE takes now(), proctime(), begin() or a number",
        r"^DECLARE .* SUBSCRIPTION CURSOR .* SINCE (?!0|%s|(?:NOW|PROCTIME|BEGIN) \( \))",
    ),
    _text("FETCH takes NEXT or a number, then FROM", r"^FETCH (?!(?:NEXT|0|%s) FROM )"),
    # Queries.
    _text("FOR UPDATE, FOR SHARE", r" FOR (?:UPDATE|SHARE|NO KEY UPDATE|KEY SHARE)\b"),
    _text("FOR SYSTEM_TIME after an alias", rf" (?:FROM|JOIN) {QUALIFIED} (?:AS )?{NAME} FOR SYSTEM_TIME "),
    _text("AS OF SYSTEM TIME", r" AS OF SYSTEM TIME "),
    _text("TABLESAMPLE", r" TABLESAMPLE "),
    _text("UNION DISTINCT", r" (?:UNION|INTERSECT|EXCEPT) DISTINCT "),
    _text("BETWEEN SYMMETRIC", r" BETWEEN A?SYMMETRIC "),
    _text("ISNULL, NOTNULL", r" (?<!AS )(?<!\. )(?:ISNULL|NOTNULL)\b"),
    _text(
        "ANY, SOME, ALL of a subquery",
        r" (?<!UNION )(?<!INTERSECT )(?<!EXCEPT )(?:ANY|SOME|ALL) (?:\( )+SELECT ",
    ),
    _text("IN of an empty list", r" IN \( \)"),
    _text("IGNORE NULLS, RESPECT NULLS", r" \) (?:IGNORE|RESPECT) NULLS "),
    _text("ORDER BY … USING", rf" ORDER BY {QUALIFIED} USING "),
    _text("IS NORMALIZED, IS DOCUMENT", r" IS (?:NOT )?(?:NORMALIZED|DOCUMENT)\b"),
    _text("AT LOCAL", r" AT LOCAL\b"),
    _text("OVERLAPS", r" \) OVERLAPS \( "),
    _text("ROWS FROM", r" ROWS FROM \("),
    _text("offset is a reserved word", r" (?<!AS )(?<!\. )OFFSET (?:,|FROM |AS |\))"),
    _text("type 'literal' of timestamptz and json", r"(?<!:: )\b(?:TIMESTAMPTZ|JSON) 's'"),
    _text("bit strings", r"\bb's'"),
    _text("two strings in a row", r"'s' 's'"),
    _text("JSON_OBJECT of keys and values", r"\bJSON_OBJECT \( '?\w+'? (?::|VALUE) "),
    _flat("SELECT … INTO", r"^(?:SELECT|WITH) .*\bINTO "),
    _text("AS [NOT] MATERIALIZED", r" AS (?:NOT )?MATERIALIZED \("),
    _flat("WITH before INSERT, UPDATE, DELETE", r"^WITH .* \) (?:INSERT|UPDATE|DELETE|MERGE) "),
    _text("data-modifying WITH", r"\bAS \( (?:INSERT|UPDATE|DELETE|MERGE) "),
    Rule(
        "a set operation of parenthesised queries, in an expression", conditions.set_operation_in_expression
    ),
    Rule(
        "a subquery that begins with a subquery, at the beginning of an expression",
        conditions.select_read_as_function,
    ),
    _text("EXPLAIN VERBOSE", r"^EXPLAIN VERBOSE "),
    _text(
        "EXPLAIN: no such option",
        r"^EXPLAIN \( (?:[^()]*, )?"
        r"(?:ANALYZE|BUFFERS|COSTS|GENERIC_PLAN|MEMORY|SERIALIZE|SETTINGS|SUMMARY|TIMING|WAL)\b",
    ),
    # Writes.
    _flat("INSERT … ON CONFLICT", r"^INSERT .* ON CONFLICT\b"),
    _text("INSERT … DEFAULT VALUES", r"^INSERT .* DEFAULT VALUES\b"),
    _text("DEFAULT in VALUES", r"\bVALUES .*[(,] DEFAULT (?=[,)])"),
    _flat("INSERT: an alias, OVERRIDING", rf"^INSERT INTO {QUALIFIED} (?:\( \) )?(?:AS|OVERRIDING) "),
    _text("UPDATE: expected SET after the table, no alias", rf"^UPDATE (?!{QUALIFIED} SET )"),
    _flat("UPDATE … FROM", r"^UPDATE .* (?<!DISTINCT )FROM "),
    _text(
        "DELETE: expected end of statement after the table, no alias, no USING",
        rf"^DELETE FROM (?!{QUALIFIED}(?: WHERE| RETURNING|$))",
    ),
    _text("WHERE CURRENT OF", r" WHERE CURRENT OF "),
    _text("TRUNCATE of several tables, CASCADE, RESTART IDENTITY", rf"^TRUNCATE (?:TABLE )?+{QUALIFIED} ."),
    # Tables.
    Rule("this type takes no arguments", conditions.type_with_arguments),
    _text(
        "GENERATED: no identity columns; a generated column is `name type AS expression`",
        r" GENERATED (?:ALWAYS|BY) ",
    ),
    _text("DEFERRABLE, INITIALLY DEFERRED", r"^(?:CREATE|ALTER) TABLE .* (?:DEFERRABLE|INITIALLY)\b"),
    _text("COLLATE must follow the type", r"^(?:CREATE|ALTER) TABLE .* NULL COLLATE "),
    _text(
        "STORAGE, COMPRESSION",
        r"^(?:CREATE|ALTER) TABLE .* (?:STORAGE (?:PLAIN|MAIN|EXT\w+)|COMPRESSION (?:PGLZ|LZ4))\b",
    ),
    _flat("TABLESPACE", r"^(?:CREATE|ALTER) (?:TABLE|INDEX|UNIQUE INDEX|DATABASE) .* TABLESPACE\b"),
    _text("LIKE table", r"^CREATE .*TABLE .*[(,] LIKE "),
    _text("EXCLUDE constraint", r"^(?:CREATE|ALTER) TABLE .* EXCLUDE (?:USING|\()"),
    _flat(
        "INHERITS, PARTITION, ON COMMIT", r"^CREATE .*TABLE .* (?:INHERITS|PARTITION (?:BY|OF)|ON COMMIT)\b"
    ),
    _text("UNIQUE NULLS [NOT] DISTINCT", r" UNIQUE NULLS "),
    _text("WITH [NO] DATA", r"^CREATE .* WITH (?:NO )?DATA$"),
    _text("REFRESH MATERIALIZED VIEW", r"^REFRESH (?!TABLE )"),
    _flat("ALTER TABLE: one action a statement", r"^ALTER TABLE (?!.*STRUCT)[^,]*,"),
    _text("ALTER TABLE IF EXISTS", r"^ALTER TABLE (?:IF EXISTS|ONLY) "),
    _text("DROP CONSTRAINT", rf"^ALTER TABLE {QUALIFIED} DROP CONSTRAINT "),
    _text("NOT VALID, VALIDATE", r"^ALTER TABLE .* (?:NOT VALID$|VALIDATE CONSTRAINT )"),
    _text(
        "ALTER TABLE: no such action",
        rf"^ALTER TABLE {QUALIFIED} (?:ENABLE|DISABLE|INHERIT|CLUSTER|SET (?:\(|LOGGED|UNLOGGED|WITHOUT))",
    ),
    _text(
        "ALTER COLUMN: expected SET/DROP NOT NULL, SET DEFAULT, SET DATA TYPE",
        rf"^ALTER TABLE {QUALIFIED} ALTER (?:COLUMN )?{NAME} (?:ADD|RESTART|DROP (?:IDENTITY|EXPRESSION)|"
        r"SET (?:GENERATED|STATISTICS|STORAGE|COMPRESSION|\())",
    ),
    _text("COMMENT only on TABLE and COLUMN", r"^COMMENT ON (?!TABLE |COLUMN )"),
    # Indexes and the rest.
    _text("CONCURRENTLY", r"^(?:CREATE|DROP) .*INDEX CONCURRENTLY "),
    _text(
        "CREATE INDEX: a name is needed, ONLY is unknown", r"^CREATE (?:UNIQUE )?INDEX (?:ON |.*? ON ONLY )"
    ),
    _text("operator classes", r"^CREATE (?:UNIQUE )?INDEX .* \w+_OPS\b"),
    _flat("a partial index", r"^CREATE (?:UNIQUE )?INDEX .* WHERE "),
    _flat("an index with NULLS [NOT] DISTINCT", r"^CREATE (?:UNIQUE )?INDEX .*\) NULLS "),
    _flat("DROP: one object a statement", r"^DROP [^(]*,"),
    _text("DROP DATABASE WITH (FORCE)", r"^DROP DATABASE .* WITH "),
    _text(
        "CREATE DATABASE: OWNER is its one option here",
        r"^CREATE DATABASE .*\b(?:ENCODING|TEMPLATE|LOCALE|LC_COLLATE|LC_CTYPE|CONNECTION)\b",
    ),
    _text(
        "CREATE SUBSCRIPTION: expected FROM name WITH (…)",
        rf"^CREATE SUBSCRIPTION (?!(?:IF NOT EXISTS )?{QUALIFIED} FROM {QUALIFIED} WITH \()",
    ),
    _text(
        "ALTER SUBSCRIPTION: expected SCHEMA or RETENTION after SET",
        rf"^ALTER SUBSCRIPTION {QUALIFIED} SET \(",
    ),
)

UNSUPPORTED: tuple[Rule, ...] = (
    # src/frontend/src/binder/expr/mod.rs (bind_data_type).
    Rule("unsupported data type", conditions.unsupported_type),
    Rule("unsupported data type: NUMERIC with a precision", conditions.numeric_with_precision),
    Rule("CHAR is not supported, please use VARCHAR", conditions.char_column),
    # src/frontend/src/handler/create_table.rs.
    Rule("UNIQUE is not implemented", conditions.column_constraint("UNIQUE")),
    Rule("CHECK is not implemented", conditions.column_constraint("CHECK")),
    Rule("REFERENCES is not implemented", conditions.column_constraint("REFERENCES")),
    _text(
        "UNIQUE, CHECK, FOREIGN KEY are not implemented",
        r"^(?:CREATE .*TABLE .*?[(,]|ALTER TABLE \S+(?: \. \S+)* ADD) (?:CONSTRAINT \S+ )?"
        r"(?:UNIQUE|CHECK|FOREIGN KEY)\b",
    ),
    Rule("column names _row_id and _rw_* are reserved", conditions.reserved_column),
    Rule('only the collations "C" and "POSIX" are implemented', conditions.other_collation),
    _text("DEFAULT must be a constant or now()", r"^(?:CREATE|ALTER) TABLE .* DEFAULT (?:\( )*RANDOM \("),
    _text("temporary tables are not implemented", r"^CREATE (?:TEMP|TEMPORARY) "),
    _text(
        "CREATE OR REPLACE VIEW, TABLE are not implemented",
        r"^CREATE OR REPLACE (?:TEMP |TEMPORARY )?(?:VIEW|TABLE|MATERIALIZED)",
    ),
    # src/frontend/src/handler/create_source.rs and create_table.rs.
    _text("NOT NULL constraint is not supported in source schema", r"^CREATE SOURCE .* NOT NULL\b.* WITH \("),
    _text(
        "a watermark requires the table to be append only",
        r"^CREATE TABLE (?!.* APPEND ONLY ).* WATERMARK FOR ",
    ),
    _text("INCLUDE should be used with a connector", r"^CREATE TABLE (?!.* CONNECTOR = ).* \) INCLUDE "),
    # src/frontend/src/handler/create_index.rs.
    _text("CREATE UNIQUE INDEX is not implemented", r"^CREATE UNIQUE INDEX "),
    _text("invalid index method", r"^CREATE INDEX .*? USING (?:BTREE|HASH|GIN|GIST|SPGIST|BRIN) "),
    # src/frontend/src/handler/alter_table_column.rs, handler/mod.rs.
    _text("RENAME of a column or constraint is not implemented", rf"^ALTER TABLE {QUALIFIED} RENAME (?!TO )"),
    _text(
        "ADD of a constraint or key is not implemented",
        rf"^ALTER TABLE {QUALIFIED} ADD (?:CONSTRAINT |PRIMARY KEY |(?:COLUMN )?\S+ .* PRIMARY KEY)",
    ),
    _text(
        "ALTER COLUMN is implemented only for the TYPE of a struct",
        rf"^ALTER TABLE {QUALIFIED} ALTER (?:COLUMN )?{NAME} "
        r"(?:SET NOT|DROP NOT|SET DEFAULT|DROP DEFAULT|(?:SET DATA )?TYPE (?!.*STRUCT))",
    ),
    _text("DROP COLUMN … CASCADE is not implemented", rf"^ALTER TABLE {QUALIFIED} DROP .* CASCADE$"),
    Rule("ADD COLUMN … NOT NULL needs a DEFAULT", conditions.not_null_without_default),
    _text(
        "ADD of a generated column is not supported",
        rf"^ALTER TABLE {QUALIFIED} ADD (?:COLUMN )?{NAME} .* AS \(",
    ),
    _text(
        "no NOW() in a generated column",
        rf"^CREATE TABLE {QUALIFIED} \( .* AS \( (?:(?! DEFAULT ).)*\bNOW \( \)",
    ),
    # src/frontend/src/handler/mod.rs: "Unhandled statement".
    _text("unhandled statement: TRUNCATE, EXECUTE", r"^(?:TRUNCATE|EXECUTE) "),
    _flat("unhandled statement: COPY of a table", rf"^COPY {QUALIFIED} (?:\( \) )?TO "),
    _text("EXPLAIN ANALYZE of a query is not implemented", r"^EXPLAIN ANALYZE (?!MATERIALIZED VIEW )"),
    _text("AND CHAIN is not implemented", r"^(?:COMMIT|ROLLBACK) (?:WORK |TRANSACTION )?AND CHAIN"),
    Rule("unrecognized configuration parameter", conditions.unknown_setting),
    # RisingWave 2.8.0: "time unit is required", "invalid digit found in string".
    Rule("a timeout in another unit than expected", values.timeout_in_other_unit),
    _text("set_config(): is_local is not implemented", r"\bSET_CONFIG \( 's' , (?:'s'|%s) , TRUE \)"),
    # src/frontend/src/binder/query.rs, set_expr.rs; planner/relation.rs.
    _text("RECURSIVE CTE is not supported", r"\bWITH RECURSIVE "),
    _text("INTERSECT ALL, EXCEPT ALL are not implemented", r" (?:INTERSECT|EXCEPT) ALL "),
    Rule("a subquery in JOIN … ON is not implemented", conditions.subquery_in_join_condition),
    Rule("Subquery must return only one column", conditions.row_in_subquery),
    # RisingWave 2.8.0: "Feature is not yet implemented: In($1)" (issue 1343), a panic of the frontend
    # (src/frontend/src/expr/subquery.rs), "Scalar subquery might produce …", "Subquery in VALUES".
    Rule("IN (subquery) is implemented only as a condition of WHERE", subqueries.in_outside_of_where),
    Rule("a comparison of two subqueries in WHERE ends the session", subqueries.subqueries_compared_in_where),
    Rule("Scalar subquery might produce more than one row", subqueries.several_rows),
    _text("a subquery in VALUES is not implemented", r"^INSERT INTO (?:(?! SELECT ).)* VALUES .*\( SELECT "),
    # src/frontend/src/binder/expr/binary_op.rs.
    _text("the operators ~* and !~* are not implemented", r" !?~\* "),
    # RisingWave 2.8.0: "binary op: &&". 3.0 has it.
    _text("the operator && is not implemented", r" && "),
    # src/expr/impl/src/scalar: cmp.rs, timestamptz.rs.
    Rule("not a valid timezone: an offset", conditions.offset_as_time_zone),
    _text(
        "function less_than(jsonb, jsonb) does not exist",
        r" (?:[<>]=?|BETWEEN(?: SYMMETRIC)?) 's' :: JSONB\b",
    ),
    # RisingWave 2.8.0: "Number 1e308 overflows", "function equal(serial, integer) does not exist".
    Rule("a number is too large", values.large_number),
    Rule("function equal(serial, integer) does not exist", values.row_id_compared_with_number),
    # Functions: see _MISSING_FUNCTIONS; src/expr/impl/src/table_function/unnest.rs takes one array.
    Rule("function does not exist", conditions.missing_function),
    Rule("function unnest() takes one argument", conditions.several_arguments("UNNEST")),
    Rule("function log() takes one argument", conditions.several_arguments("LOG")),
    _text(
        "there is no current_date, current_time, localtime, localtimestamp",
        r"(?<!\. )(?<!AS )\b(?:CURRENT_DATE|CURRENT_TIME|LOCALTIME|LOCALTIMESTAMP)\b",
    ),
    _text(
        "proctime() is only allowed in CREATE TABLE and CREATE SOURCE",
        r"^(?!CREATE (?:TABLE|SOURCE) |DECLARE ).*(?<! OF )\bPROCTIME \( \)",
    ),
    # RisingWave 2.8.0: "Conditions containing now must be in the form of …", "Window function with empty
    # PARTITION BY is not supported because of potential bad performance".
    _text(
        "a materialized view compares now() itself, or minus an interval, or its date_trunc()",
        r"^CREATE MATERIALIZED VIEW .*"
        r"\bNOW \( \)(?: [-+] INTERVAL 's')?(?: \))?(?: ::| AT TIME ZONE| , 's' \))",
    ),
    _text(
        "a window function without PARTITION BY in a materialized view",
        r"^CREATE MATERIALIZED VIEW .* OVER \( (?!PARTITION )",
    ),
    # src/frontend/src/binder/expr/function/window.rs, src/expr/core/src/window_function/kind.rs.
    Rule("FILTER with OVER is not implemented", conditions.filter_over),
    Rule("a subquery in FILTER is not implemented", conditions.subquery_in_filter),
    # src/frontend/src/optimizer/plan_node/logical_agg.rs.
    Rule("a subquery in an aggregate is not implemented", conditions.subquery_in_aggregate),
    Rule("a subquery in GROUP BY is not implemented", conditions.subquery_in_group_by),
    Rule(
        "a correlated subquery next to an aggregate is not implemented",
        conditions.correlated_next_to_aggregate,
    ),
    Rule("`lead` and `lag` with `default` are not implemented", values.default_of_lag),
    Rule("rank(), dense_rank() and row_number() need ORDER BY", conditions.numbering_without_order),
    Rule("there should be exactly one ordering column for a RANGE frame", conditions.range_of_other_orders),
    _text("frames in GROUPS are not implemented", r" GROUPS (?:BETWEEN|UNBOUNDED|CURRENT|0) "),
    _text("EXCLUDE GROUP, EXCLUDE TIES are not implemented", r" EXCLUDE (?:GROUP|TIES)\b"),
)

# Accepted, but with other results than PostgreSQL's.
DIFFERENT: tuple[Rule, ...] = (
    Rule("the default frame with ORDER BY ends at the row", conditions.default_frame),
)

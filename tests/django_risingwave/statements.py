"""Find SQL that RisingWave would refuse, by the rules of its parser and of the stages after it.

A statement is split into tokens first, so that words inside literals, comments and quoted identifiers aren't
mistaken for SQL. Patterns are matched against the normalized tokens: words in upper case, one space between
tokens, `"x"` for a quoted identifier, `'s'` for a string, `0` for a number and `%s` for a parameter.
`SELECT a.b FROM "t" WHERE c = 'd'` becomes `SELECT A . B FROM "x" WHERE C = 's'`.

SYNTAX has the rules of RisingWave's parser; test_statements.py compares them with the parser's verdicts. They
aren't a grammar: nonsense passes. UNSUPPORTED has the rules of the binder, the planner and the handlers, from
the source of v3.0.3.

No rule knows the catalog. So none finds an UPDATE of a primary key, RETURNING for a table with generated
columns, or an operator or function without an overload for the types of its operands.

Paths are those of github.com/risingwavelabs/risingwave at v3.0.3; the parser's are under src/sqlparser/src.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TOKEN = re.compile(
    r"""
    (?P<skip> \s+ | --[^\n]* | /\*.*?\*/ )
  | (?P<bits> b'(?:[^']|'')*' )
  | (?P<string> e'(?:[^'\\]|''|\\.)*'
              | (?:x|n|u&)?'(?:[^']|'')*'
              | (?P<dollar>\$(?:[a-z_]\w*)?\$).*?(?P=dollar) )
  | (?P<identifier> "(?:[^"]|"")*" )
  | (?P<parameter> %s | %\(\w+\)s | \$\d+ )
  | (?P<number> (?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)? )
  | (?P<word> [^\W\d][\w$]* )
  | (?P<operator> :: | (?: (?!--|/\*)[-+*/<>=~!@\#%^&|`?] )+ | . )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)

_NORMALIZED = {"string": "'s'", "bits": "b's'", "identifier": '"x"', "number": "0", "parameter": "%s"}

_NAME = r'(?:"x"|[A-Z_]\w*)'
_QUALIFIED = rf"{_NAME}(?: \. {_NAME})*"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Types that can have arguments (parser.rs, parse_data_type).
_TYPES_WITH_ARGUMENTS = _words("NUMERIC DECIMAL FLOAT CHAR CHARACTER VECTOR MAP STRUCT")

# Types that the binder supports: src/frontend/src/binder/expr/mod.rs (bind_data_type, and bind_cast for
# reg*).
_TYPES = _TYPES_WITH_ARGUMENTS | _words(
    "BOOLEAN BOOL SMALLINT INT2 INT INTEGER INT4 BIGINT INT8 REAL FLOAT4 DOUBLE FLOAT8 VARCHAR TEXT "
    "STRING DATE TIME TIMESTAMP TIMESTAMPTZ INTERVAL BYTEA JSONB RW_INT256 OID REGCLASS REGTYPE REGPROC "
    "NAME"
)

# Absent from src/frontend/src/binder/expr/function/builtin_scalar.rs, from the window functions
# (src/expr/core/src/window_function/kind.rs) and from the aggregates (AggCall in proto/expr.proto).
_MISSING_FUNCTIONS = _words(
    "NTILE NTH_VALUE PERCENT_RANK CUME_DIST CORR COVAR_POP COVAR_SAMP EVERY XMLAGG JSON_AGG "
    "JSON_OBJECT_AGG STATEMENT_TIMESTAMP TRANSACTION_TIMESTAMP CLOCK_TIMESTAMP AGE MAKE_INTERVAL "
    "JUSTIFY_DAYS JUSTIFY_HOURS JUSTIFY_INTERVAL TO_NUMBER SETSEED TXID_CURRENT GEN_RANDOM_UUID "
    "ROW_TO_JSON JSON_OBJECT JSON_ARRAY JSON_BUILD_OBJECT JSON_BUILD_ARRAY NEXTVAL SETVAL DIGEST "
    "UNACCENT HOST TO_TSVECTOR TO_TSQUERY"
)

# From AggCall in proto/expr.proto, those that Django or its users call.
_AGGREGATES = _words(
    "COUNT SUM AVG MIN MAX STDDEV_POP STDDEV_SAMP VAR_POP VAR_SAMP STRING_AGG ARRAY_AGG JSONB_AGG "
    "JSONB_OBJECT_AGG BOOL_AND BOOL_OR BIT_AND BIT_OR BIT_XOR"
)

# src/common/src/session_config/mod.rs; any other is an "unrecognized configuration parameter".
_SETTINGS = _words(
    "APPLICATION_NAME BACKGROUND_DDL BACKFILL_RATE_LIMIT BATCH_EXPR_STRICT_MODE BATCH_PARALLELISM "
    "BYTEA_OUTPUT CLIENT_ENCODING CLIENT_MIN_MESSAGES DATESTYLE DML_WAIT_PERSISTENCE "
    "ENABLE_MV_SELECTION EXTRA_FLOAT_DIGITS IDLE_IN_TRANSACTION_SESSION_TIMEOUT IMPLICIT_FLUSH "
    "INTERVALSTYLE LOCK_TIMEOUT QUERY_EPOCH QUERY_MODE ROW_SECURITY RW_IMPLICIT_FLUSH SEARCH_PATH "
    "STANDARD_CONFORMING_STRINGS STATEMENT_TIMEOUT STREAMING_PARALLELISM SYNCHRONIZE_SEQSCANS TIMEZONE "
    "TRANSACTION_ISOLATION VISIBILITY_MODE"
)

_AFTER_JOIN = _words(
    "JOIN INNER LEFT RIGHT FULL CROSS WHERE GROUP ORDER HAVING LIMIT UNION INTERSECT EXCEPT WINDOW RETURNING"
)
_SET_OPERATORS = _words("UNION INTERSECT EXCEPT")
_CLAUSES = _words("FROM WHERE GROUP HAVING WINDOW ORDER LIMIT OFFSET FETCH")
_NAMED = re.compile(_NAME)
_EXPLAINABLE = _words("SELECT WITH VALUES INSERT UPDATE DELETE CREATE ( DECLARE FETCH")
_NO_COLUMN = _words("CONSTRAINT PRIMARY UNIQUE CHECK FOREIGN EXCLUDE LIKE WATERMARK")


@dataclass(frozen=True)
class Statement:
    """The tokens of a statement: as written, and normalized for the rules."""

    written: tuple[str, ...]
    words: tuple[str, ...]

    @cached_property
    def text(self) -> str:
        return " ".join(self.words)

    @cached_property
    def flat(self) -> str:
        """The text without the contents of parentheses."""
        return " ".join(
            word for word, depth in zip(self.words, self._depths, strict=True) if not depth or word in "()"
        )

    @cached_property
    def _depths(self) -> tuple[int, ...]:
        depths, depth = [], 0
        for word in self.words:
            depth -= word in {")", "]"}
            depths.append(depth)
            depth += word in {"(", "["}
        return tuple(depths)

    def word(self, index: int) -> str:
        return self.words[index] if 0 <= index < len(self.words) else ""

    def places(self, *sequence: str) -> Iterator[int]:
        """Yield the index of each occurrence of these words in sequence."""
        for index in range(len(self.words)):
            if self.words[index : index + len(sequence)] == sequence:
                yield index

    def closing(self, index: int) -> int:
        """Return the index of the closing parenthesis for the one at `index`."""
        depth = self._depths[index]
        return next(
            (
                i
                for i in range(index + 1, len(self.words))
                if self.words[i] == ")" and self._depths[i] == depth
            ),
            len(self.words),
        )

    def opening(self, index: int) -> int:
        """Return the index of the opening parenthesis for the one at `index`."""
        depth = self._depths[index]
        return next(i for i in range(index - 1, -1, -1) if self.words[i] == "(" and self._depths[i] == depth)

    def items(self, index: int) -> list[range]:
        """Return the comma-separated items in the parentheses that open at `index`."""
        end, depth, start, items = self.closing(index), self._depths[index] + 1, index + 1, []
        for i in range(index + 1, end):
            if self.words[i] == "," and self._depths[i] == depth:
                items.append(range(start, i))
                start = i + 1
        return [*items, range(start, end)]

    def clause(self, index: int) -> str:
        """Return the first word of the clause that contains the word at `index`."""
        clauses = {"SELECT", "FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "RETURNING", "VALUES"}
        depth = self._depths[index]
        for i in range(index - 1, -1, -1):
            if self._depths[i] < depth:
                break
            if self._depths[i] == depth and self.words[i] in clauses:
                return self.words[i]
        return ""

    def select(self, index: int) -> int:
        """Return the index of the innermost SELECT that contains the word at `index`, or -1."""
        depth = self._depths[index]
        for i in range(index - 1, -1, -1):
            depth = min(depth, self._depths[i])
            if self.words[i] == "SELECT" and self._depths[i] == depth:
                return i
        return -1

    def clauses(self, select: int) -> dict[str, range]:
        """Return the clauses of the SELECT at this index, by their first words."""
        depth, end = self._depths[select], select + 1
        starts = [select]
        while end < len(self.words) and self._depths[end] >= depth:
            if self._depths[end] == depth:
                if self.words[end] in _SET_OPERATORS:
                    break
                if self.words[end] in _CLAUSES:
                    starts.append(end)
            end += 1
        return {
            self.words[start]: range(start + 1, stop)
            for start, stop in zip(starts, [*starts[1:], end], strict=True)
        }

    def parts(self, clause: range) -> list[range]:
        """Return the comma-separated parts of a clause."""
        depth = min((self._depths[i] for i in clause), default=0)
        commas = [i for i in clause if self.words[i] == "," and self._depths[i] == depth]
        starts, stops = [clause.start, *(i + 1 for i in commas)], [*commas, clause.stop]
        return [range(start, stop) for start, stop in zip(starts, stops, strict=True)]

    def is_correlated(self, index: int) -> bool:
        """Return whether the query in the parentheses that open at `index` refers to outer tables."""
        inside = range(index + 1, self.closing(index))
        names = [
            self.written[i].strip('"').upper()
            for i in inside
            # A relation or its alias.
            if _NAMED.fullmatch(self.words[i])
            and (
                self.word(i - 1) in {"FROM", "JOIN", "AS", ","}
                or _NAMED.fullmatch(self.word(i - 1))
                or self.word(i - 1) == ")"
            )
            and self.word(i + 1) != "."
        ]
        return any(
            self.word(i + 1) == "." and self.written[i].strip('"').upper() not in names
            for i in inside
            if _NAMED.fullmatch(self.words[i]) and self.word(i - 1) != "."
        )

    def condition(self, index: int) -> tuple[str, ...]:
        """Return the words of the join condition after the ON at `index`."""
        depth, end = self._depths[index], index + 1
        while end < len(self.words) and (
            self._depths[end] > depth or (self._depths[end] == depth and self.words[end] not in _AFTER_JOIN)
        ):
            end += 1
        return self.words[index:end]

    @cached_property
    def columns(self) -> list[range]:
        """The column definitions of CREATE TABLE and ALTER TABLE … ADD COLUMN, starting with the names."""
        if re.match(r"CREATE .*?TABLE ", self.text) and "(" in self.words:
            items = self.items(self.words.index("("))
            return [item for item in items if item and self.words[item.start] not in _NO_COLUMN]
        added = re.match(rf"ALTER TABLE {_QUALIFIED} ADD (?:COLUMN )?(?:IF NOT EXISTS )?", self.text)
        if added and self.word(start := added[0].count(" ")) not in _NO_COLUMN:
            return [range(start, len(self.words))]
        return []

    @cached_property
    def types(self) -> list[int]:
        """The indexes of types: in column definitions, after `::` and TYPE, and in CAST(… AS …)."""
        types = [column.start + 1 for column in self.columns if len(column) > 1]
        types += [index + 1 for index in self.places("::")]
        if self.text.startswith("ALTER TABLE "):
            types += [index + 1 for index in self.places("TYPE")]
        for index in self.places("CAST", "("):
            end, depth = self.closing(index + 1), self._depths[index + 1] + 1
            casts = (
                i for i in range(end - 1, index, -1) if self.words[i] == "AS" and self._depths[i] == depth
            )
            types += [next(casts) + 1]
        return types

    @cached_property
    def calls(self) -> list[int]:
        """The indexes of the names in function calls."""
        return [
            index - 1
            for index in self.places("(")
            if re.fullmatch(r"[A-Z_]\w*", self.word(index - 1))
            and self.word(index - 2) not in {"INTO", "TABLE", "EXISTS", "ON", "AS", "."}
        ]


@dataclass(frozen=True)
class Rule:
    """A refusal in the server's terms, and how to find statements that it applies to."""

    refusal: str
    applies: Callable[[Statement], object]


def statements(sql: str) -> list[Statement]:
    """Split SQL at semicolons. The statement inside an EXPLAIN follows it as a statement of its own."""
    found: list[Statement] = []
    written: list[str] = []
    words: list[str] = []
    for match in _TOKEN.finditer(sql + ";"):
        kind, token = match.lastgroup, match[0]
        if token == ";" and written:
            found.append(Statement(tuple(written), tuple(words)))
            written, words = [], []
        elif kind != "skip" and token != ";":
            written.append(token)
            words.append(_normalized(match))
    return [part for statement in found for part in (statement, *_explained(statement))]


def _normalized(match: re.Match[str]) -> str:
    return _NORMALIZED.get(match.lastgroup or "", match[0].upper())


def _explained(statement: Statement) -> Iterator[Statement]:
    match = re.match(r"EXPLAIN (?:ANALYZE |VERBOSE )*(?:\( (?!SELECT|WITH|VALUES|\().*?\) )?", statement.text)
    if match and statement.word(start := match[0].count(" ")) in _EXPLAINABLE:
        yield Statement(statement.written[start:], statement.words[start:])


def syntax_errors(sql: str) -> list[str]:
    """Return why RisingWave's parser refuses this SQL; an empty list if it accepts it."""
    return _refusals(SYNTAX, sql)


def violations(sql: str) -> list[str]:
    """Return why RisingWave refuses this SQL; an empty list if it accepts it."""
    return _refusals(SYNTAX + UNSUPPORTED, sql)


def _refusals(rules: tuple[Rule, ...], sql: str) -> list[str]:
    parts = statements(sql)
    return [rule.refusal for rule in rules if any(rule.applies(part) for part in parts)]


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


# Rules that aren't patterns ------------------------------------------------------------------------------


def _type_with_arguments(statement: Statement) -> bool:
    for start in statement.types:
        word, after = statement.word(start), start + 1
        if word in {"CHARACTER", "CHAR"} and statement.word(after) == "VARYING":
            word, after = "VARCHAR", start + 2
        if statement.word(after) == "(" and word not in _TYPES_WITH_ARGUMENTS:
            return True
    return False


def _set_operation_in_expression(statement: Statement) -> bool:
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


def _select_read_as_function(statement: Statement) -> bool:
    # SELECT isn't reserved (keywords.rs, RESERVED_FOR_COLUMN_OR_TABLE_NAME): at the start of an expression,
    # `(SELECT (SELECT …` is parsed as a call of a function "select" first.
    return any(
        statement.word(index - 1) == "SELECT"
        or (statement.word(index - 1) == "(" and index - 2 in statement.calls)
        or (statement.word(index - 1) == "," and statement.clause(index) == "SELECT")
        for index in statement.places("(", "SELECT", "(", "SELECT")
    )


def _unsupported_type(statement: Statement) -> bool:
    return any(
        statement.word(start) not in _TYPES or statement.word(start + 1) == "." for start in statement.types
    ) or any(
        statement.words[start : start + 4] == ("TIME", "WITH", "TIME", "ZONE") for start in statement.types
    )


def _numeric_with_precision(statement: Statement) -> bool:
    return any(
        statement.word(start) in {"NUMERIC", "DECIMAL"} and statement.word(start + 1) == "("
        for start in statement.types
    )


def _char_column(statement: Statement) -> bool:
    return any(
        statement.word(column.start + 1) in {"CHAR", "CHARACTER"}
        and statement.word(column.start + 2) != "VARYING"
        for column in statement.columns
    )


def _column_constraint(*constraints: str) -> Callable[[Statement], bool]:
    def applies(statement: Statement) -> bool:
        return any(
            word in constraints
            for column in statement.columns
            for word in statement.words[column.start : column.stop]
        )

    return applies


def _reserved_column(statement: Statement) -> bool:
    names = (statement.written[column.start].strip('"').lower() for column in statement.columns)
    return any(name == "_row_id" or name.startswith("_rw_") for name in names)


def _other_collation(statement: Statement) -> bool:
    return any(
        (statement.written[index + 1 : index + 2] or ("",))[0] not in {'"C"', '"POSIX"'}
        for index in statement.places("COLLATE")
    )


def _not_null_without_default(statement: Statement) -> bool:
    return statement.text.startswith("ALTER TABLE ") and any(
        "NULL" in (words := statement.words[column.start : column.stop])
        and "NOT" in words
        and "DEFAULT" not in words
        for column in statement.columns
    )


def _missing_function(statement: Statement) -> bool:
    return any(
        (name := statement.words[index]) in _MISSING_FUNCTIONS or name.startswith("REGR_")
        for index in statement.calls
    )


def _several_arguments(function: str) -> Callable[[Statement], bool]:
    return lambda statement: any(
        statement.words[index] == function and len(statement.items(index + 1)) > 1
        for index in statement.calls
    )


def _filter_over(statement: Statement) -> bool:
    return any(
        statement.word(statement.closing(index + 1) + 1) == "OVER"
        for index in statement.places("FILTER", "(")
    )


def _subquery_in_filter(statement: Statement) -> bool:
    return any(
        "SELECT" in statement.words[index : statement.closing(index + 1)]
        for index in statement.places("FILTER", "(")
    )


def _subquery_in_aggregate(statement: Statement) -> bool:
    return any(
        statement.words[index] in _AGGREGATES
        and "SELECT" in statement.words[index : (end := statement.closing(index + 1))]
        and statement.word(end + 1) != "OVER"
        for index in statement.calls
    )


def _subquery_in_group_by(statement: Statement) -> bool:
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


def _correlated_next_to_aggregate(statement: Statement) -> bool:
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


def _rank_without_order(statement: Statement) -> bool:
    return any(
        "ORDER" not in statement.words[over : statement.closing(over + 1)]
        for over in statement.places("OVER", "(")
        if statement.words[max(over - 3, 0) : over] in {("RANK", "(", ")"), ("DENSE_RANK", "(", ")")}
    )


def _row_in_subquery(statement: Statement) -> bool:
    for index in statement.places(")", "IN", "(", "SELECT"):
        start = statement.opening(index)
        if start - 1 not in _named_calls(statement) and len(statement.items(start)) > 1:
            return True
    return False


def _named_calls(statement: Statement) -> set[int]:
    keywords = {"WHERE", "AND", "OR", "NOT", "ON", "WHEN", "SELECT", "HAVING", "ROW"}
    return {index for index in statement.calls if statement.words[index] not in keywords}


def _subquery_in_join_condition(statement: Statement) -> bool:
    return "JOIN" in statement.words and any(
        "SELECT" in statement.condition(index)
        for index in statement.places("ON")
        if statement.word(index - 1) != "DISTINCT"
    )


def _unknown_setting(statement: Statement) -> bool:
    match = re.match(r"SET (?:LOCAL |SESSION )?([A-Z_]\w*) (?:TO|=) ", statement.text)
    return bool(
        match and match[1] not in _SETTINGS and not match[1].startswith(("RW_", "STREAMING_", "BATCH_"))
    )


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
        rf"(?!(?:LOCAL |SESSION )?{_QUALIFIED} (?:TO|=))",
    ),
    _text("SET TIME ZONE INTERVAL", r"^SET TIME ZONE INTERVAL "),
    _text("VACUUM and ANALYZE without a table", r"^(?:VACUUM|ANALYZE)$"),
    _text("KILL takes a string", r"^KILL 0"),
    _text("GRANT and REVOKE of roles", r"^(?:GRANT|REVOKE) (?!.* ON )"),
    _flat("COPY … FROM", rf"^COPY {_QUALIFIED} (?:\( \) )?FROM "),
    _flat("COPY … TO STDOUT with options", r"^COPY .*STDOUT ."),
    # Cursors: parse_declare_cursor, parse_fetch_cursor.
    _text(
        "DECLARE: expected CURSOR FOR (no HOLD, no SCROLL)",
        rf"^DECLARE {_NAME} (?!(?:SUBSCRIPTION )?CURSOR FOR )",
    ),
    _text(
        "SINCE takes now(), proctime(), begin() or a number",
        r"^DECLARE .* SUBSCRIPTION CURSOR .* SINCE (?!0|%s|(?:NOW|PROCTIME|BEGIN) \( \))",
    ),
    _text("FETCH takes NEXT or a number, then FROM", r"^FETCH (?!(?:NEXT|0|%s) FROM )"),
    # Queries.
    _text("FOR UPDATE, FOR SHARE", r" FOR (?:UPDATE|SHARE|NO KEY UPDATE|KEY SHARE)\b"),
    _text("FOR SYSTEM_TIME after an alias", rf" (?:FROM|JOIN) {_QUALIFIED} (?:AS )?{_NAME} FOR SYSTEM_TIME "),
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
    _text("ORDER BY … USING", rf" ORDER BY {_QUALIFIED} USING "),
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
    Rule("a set operation of parenthesised queries, in an expression", _set_operation_in_expression),
    Rule(
        "a subquery that begins with a subquery, at the beginning of an expression", _select_read_as_function
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
    _flat("INSERT: an alias, OVERRIDING", rf"^INSERT INTO {_QUALIFIED} (?:\( \) )?(?:AS|OVERRIDING) "),
    _text("UPDATE: expected SET after the table, no alias", rf"^UPDATE (?!{_QUALIFIED} SET )"),
    _flat("UPDATE … FROM", r"^UPDATE .* (?<!DISTINCT )FROM "),
    _text(
        "DELETE: expected end of statement after the table, no alias, no USING",
        rf"^DELETE FROM (?!{_QUALIFIED}(?: WHERE| RETURNING|$))",
    ),
    _text("WHERE CURRENT OF", r" WHERE CURRENT OF "),
    _text("TRUNCATE of several tables, CASCADE, RESTART IDENTITY", rf"^TRUNCATE (?:TABLE )?+{_QUALIFIED} ."),
    # Tables.
    Rule("this type takes no arguments", _type_with_arguments),
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
    _text("DROP CONSTRAINT", rf"^ALTER TABLE {_QUALIFIED} DROP CONSTRAINT "),
    _text("NOT VALID, VALIDATE", r"^ALTER TABLE .* (?:NOT VALID$|VALIDATE CONSTRAINT )"),
    _text(
        "ALTER TABLE: no such action",
        rf"^ALTER TABLE {_QUALIFIED} (?:ENABLE|DISABLE|INHERIT|CLUSTER|SET (?:\(|LOGGED|UNLOGGED|WITHOUT))",
    ),
    _text(
        "ALTER COLUMN: expected SET/DROP NOT NULL, SET DEFAULT, SET DATA TYPE",
        rf"^ALTER TABLE {_QUALIFIED} ALTER (?:COLUMN )?{_NAME} (?:ADD|RESTART|DROP (?:IDENTITY|EXPRESSION)|"
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
        rf"^CREATE SUBSCRIPTION (?!(?:IF NOT EXISTS )?{_QUALIFIED} FROM {_QUALIFIED} WITH \()",
    ),
    _text(
        "ALTER SUBSCRIPTION: expected SCHEMA or RETENTION after SET",
        rf"^ALTER SUBSCRIPTION {_QUALIFIED} SET \(",
    ),
)

UNSUPPORTED: tuple[Rule, ...] = (
    # src/frontend/src/binder/expr/mod.rs (bind_data_type).
    Rule("unsupported data type", _unsupported_type),
    Rule("unsupported data type: NUMERIC with a precision", _numeric_with_precision),
    Rule("CHAR is not supported, please use VARCHAR", _char_column),
    # src/frontend/src/handler/create_table.rs.
    Rule("UNIQUE is not implemented", _column_constraint("UNIQUE")),
    Rule("CHECK is not implemented", _column_constraint("CHECK")),
    Rule("REFERENCES is not implemented", _column_constraint("REFERENCES")),
    _text(
        "UNIQUE, CHECK, FOREIGN KEY are not implemented",
        r"^(?:CREATE .*TABLE .*?[(,]|ALTER TABLE \S+(?: \. \S+)* ADD) (?:CONSTRAINT \S+ )?"
        r"(?:UNIQUE|CHECK|FOREIGN KEY)\b",
    ),
    Rule("column names _row_id and _rw_* are reserved", _reserved_column),
    Rule('only the collations "C" and "POSIX" are implemented', _other_collation),
    _text("DEFAULT must be a constant or now()", r"^(?:CREATE|ALTER) TABLE .* DEFAULT (?:\( )*RANDOM \("),
    _text("temporary tables are not implemented", r"^CREATE (?:TEMP|TEMPORARY) "),
    _text(
        "CREATE OR REPLACE VIEW, TABLE are not implemented",
        r"^CREATE OR REPLACE (?:TEMP |TEMPORARY )?(?:VIEW|TABLE|MATERIALIZED)",
    ),
    # src/frontend/src/handler/create_index.rs.
    _text("CREATE UNIQUE INDEX is not implemented", r"^CREATE UNIQUE INDEX "),
    _text("invalid index method", r"^CREATE INDEX .*? USING (?:BTREE|HASH|GIN|GIST|SPGIST|BRIN) "),
    # src/frontend/src/handler/alter_table_column.rs, handler/mod.rs.
    _text(
        "RENAME of a column or constraint is not implemented", rf"^ALTER TABLE {_QUALIFIED} RENAME (?!TO )"
    ),
    _text(
        "ADD of a constraint or key is not implemented",
        rf"^ALTER TABLE {_QUALIFIED} ADD (?:CONSTRAINT |PRIMARY KEY |(?:COLUMN )?\S+ .* PRIMARY KEY)",
    ),
    _text(
        "ALTER COLUMN is implemented only for the TYPE of a struct",
        rf"^ALTER TABLE {_QUALIFIED} ALTER (?:COLUMN )?{_NAME} "
        r"(?:SET NOT|DROP NOT|SET DEFAULT|DROP DEFAULT|(?:SET DATA )?TYPE (?!.*STRUCT))",
    ),
    _text("DROP COLUMN … CASCADE is not implemented", rf"^ALTER TABLE {_QUALIFIED} DROP .* CASCADE$"),
    Rule("ADD COLUMN … NOT NULL needs a DEFAULT", _not_null_without_default),
    _text(
        "ADD of a generated column is not supported",
        rf"^ALTER TABLE {_QUALIFIED} ADD (?:COLUMN )?{_NAME} .* AS \(",
    ),
    _text(
        "no NOW() in a generated column",
        rf"^CREATE TABLE {_QUALIFIED} \( .* AS \( (?:(?! DEFAULT ).)*\bNOW \( \)",
    ),
    # src/frontend/src/handler/mod.rs: "Unhandled statement".
    _text("unhandled statement: TRUNCATE, EXECUTE", r"^(?:TRUNCATE|EXECUTE) "),
    _flat("unhandled statement: COPY of a table", rf"^COPY {_QUALIFIED} (?:\( \) )?TO "),
    _text("EXPLAIN ANALYZE of a query is not implemented", r"^EXPLAIN ANALYZE (?!MATERIALIZED VIEW )"),
    _text("AND CHAIN is not implemented", r"^(?:COMMIT|ROLLBACK) (?:WORK |TRANSACTION )?AND CHAIN"),
    Rule("unrecognized configuration parameter", _unknown_setting),
    _text("set_config(): is_local is not implemented", r"\bSET_CONFIG \( 's' , (?:'s'|%s) , TRUE \)"),
    # src/frontend/src/binder/query.rs, set_expr.rs; planner/relation.rs.
    _text("RECURSIVE CTE is not supported", r"\bWITH RECURSIVE "),
    _text("INTERSECT ALL, EXCEPT ALL are not implemented", r" (?:INTERSECT|EXCEPT) ALL "),
    Rule("a subquery in JOIN … ON is not implemented", _subquery_in_join_condition),
    Rule("Subquery must return only one column", _row_in_subquery),
    # src/frontend/src/binder/expr/binary_op.rs.
    _text("the operators ~* and !~* are not implemented", r" !?~\* "),
    # Functions: see _MISSING_FUNCTIONS; src/expr/impl/src/table_function/unnest.rs takes one array.
    Rule("function does not exist", _missing_function),
    Rule("function unnest() takes one argument", _several_arguments("UNNEST")),
    Rule("function log() takes one argument", _several_arguments("LOG")),
    _text(
        "there is no current_date, current_time, localtime, localtimestamp",
        r"(?<!\. )(?<!AS )\b(?:CURRENT_DATE|CURRENT_TIME|LOCALTIME|LOCALTIMESTAMP)\b",
    ),
    # src/frontend/src/binder/expr/function/window.rs, src/expr/core/src/window_function/kind.rs.
    Rule("FILTER with OVER is not implemented", _filter_over),
    Rule("a subquery in FILTER is not implemented", _subquery_in_filter),
    # src/frontend/src/optimizer/plan_node/logical_agg.rs.
    Rule("a subquery in an aggregate is not implemented", _subquery_in_aggregate),
    Rule("a subquery in GROUP BY is not implemented", _subquery_in_group_by),
    Rule("a correlated subquery next to an aggregate is not implemented", _correlated_next_to_aggregate),
    Rule("rank() and dense_rank() need ORDER BY", _rank_without_order),
    _text("frames in GROUPS are not implemented", r" GROUPS (?:BETWEEN|UNBOUNDED|CURRENT|0) "),
    _text("EXCLUDE GROUP, EXCLUDE TIES are not implemented", r" EXCLUDE (?:GROUP|TIES)\b"),
)

"""What a SELECT of RisingWave reads, and whether two of them say the same. sqlglot parses them.

RisingWave always gets the text as it was declared: nothing here writes SQL.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Window functions in FROM, whose first argument is a relation.
#: https://docs.risingwave.com/processing/sql/time-windows
TIME_WINDOWS = frozenset({"HOP", "TUMBLE"})

# Clauses of RisingWave that not every supported version of sqlglot reads. They name no relation.
_UNREAD = re.compile(
    r"\bFOR\s+SYSTEM_TIME\s+AS\s+OF\s+\w+\s*\(\s*\) | \bEMIT\s+ON\s+WINDOW\s+CLOSE\s*$",
    re.VERBOSE | re.IGNORECASE,
)
# Aliases that Django makes up for subqueries: it quotes them since 6.1.
_ALIAS = re.compile(r"[A-Z]\d+")
_COLOURS = re.compile(r"\x1b\[\d*m")


class UnreadableSQLError(ValueError):
    """An SQL text that isn't one SELECT."""


def parse(sql: str) -> exp.Query:
    """Return the syntax tree of a SELECT, without the clauses that sqlglot doesn't know.

    Raises UnreadableSQLError, which names the place, if the text isn't exactly one SELECT.
    """
    return _parse(sql).copy()


@lru_cache(maxsize=256)
def _parse(sql: str) -> exp.Query:
    text = _UNREAD.sub("", sql.rstrip().removesuffix(";"))
    try:
        statements = [statement for statement in sqlglot.parse(text, read="risingwave") if statement]
    except SqlglotError as error:
        message = _COLOURS.sub("", str(error)).strip()
        raise UnreadableSQLError(f"sqlglot can't read the SQL: {message}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        kinds = ", ".join(statement.key.upper() for statement in statements) or "nothing"
        raise UnreadableSQLError(f"The SQL must be one SELECT, not {kinds}.")
    return statements[0]


def relations_read(sql: str) -> frozenset[str]:
    """Return the names of the relations that a SELECT reads, those without quotes in lower case.

    Names of CTEs aren't among them. Raises UnreadableSQLError.
    """
    return frozenset(_relations(_parse(sql)))


def _relations(query: exp.Query) -> Iterator[str]:
    for table in query.find_all(exp.Table):
        function = table.this
        if isinstance(function, exp.Identifier):
            name = identifier_name(function)
            if not _is_cte(table, name):
                yield name
        elif isinstance(function, exp.Anonymous) and function.name.upper() in TIME_WINDOWS:
            argument = function.expressions[0].find(exp.Identifier) if function.expressions else None
            if argument is not None and not _is_cte(table, name := identifier_name(argument)):
                yield name


def identifier_name(identifier: exp.Identifier) -> str:
    """Return the name that the server looks up."""
    name: str = identifier.this
    return name if identifier.args.get("quoted") else name.lower()


def _is_cte(table: exp.Table, name: str) -> bool:
    """Return whether a WITH around the table defines the name, before the place where the table is."""
    if table.db:
        return False
    child: Any = table
    inside: exp.CTE | None = None
    while parent := child.parent:
        if isinstance(parent, exp.CTE):
            inside = parent
        elif isinstance(parent, exp.With):
            visible = parent.expressions
            if not parent.args.get("recursive"):
                visible = visible[: next(i for i, cte in enumerate(visible) if cte is inside)]
            if _defines(visible, name):
                return True
        elif (
            isinstance(parent, exp.Query) and not isinstance(child, exp.With) and _defines(parent.ctes, name)
        ):
            return True
        child = parent
    return False


def _defines(ctes: list[exp.CTE], name: str) -> bool:
    return any(identifier_name(cte.args["alias"].this) == name for cte in ctes)


@lru_cache(maxsize=256)
def canonical(sql: str) -> str:
    """Return a text that is equal for two SELECTs that differ only in form.

    The form is white space, comments, parentheses that change nothing, the case of keywords and unquoted
    names, quotes around names, `x::type` for `CAST(x AS type)`, and `t AS t` for `t`, which RisingWave 2.8.0
    writes after a relation was renamed twice. Raises UnreadableSQLError.
    """
    tree = parse(sql)
    for node in tree.walk():
        node.comments = None
        if isinstance(node, exp.Identifier):
            name = identifier_name(node)
            node.set("this", name.lower() if _ALIAS.fullmatch(name) else name)
            node.set("quoted", True)
        elif isinstance(node, exp.Anonymous):
            node.set("this", node.name.lower())
        elif isinstance(node, exp.Table) and _has_its_own_name(node):
            node.set("alias", None)
    tree = cast("exp.Query", tree.transform(_without_parentheses))
    # The tree keeps what parentheses mean; SQL without them wouldn't.
    return " ".join(
        [repr(tree), *(" ".join(match.split()).lower() for match in _UNREAD.findall(sql.rstrip(" \n;")))]
    )


def _has_its_own_name(table: exp.Table) -> bool:
    """Return whether the table has an alias that is its name."""
    alias = table.args.get("alias")
    names = [alias.this, table.this] if alias and not alias.columns else []
    return all(isinstance(name, exp.Identifier) for name in names) and (
        len({identifier_name(name) for name in names}) == 1
    )


def _without_parentheses(node: Any) -> Any:
    while isinstance(node, exp.Paren):
        node = node.this
    return node

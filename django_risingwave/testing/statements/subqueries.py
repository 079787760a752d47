"""Conditions on the places of subqueries in a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django_risingwave.testing.statements.tokens import words

if TYPE_CHECKING:
    from django_risingwave.testing.statements.tokens import Statement

_CLAUSES = words(
    "SELECT FROM WHERE GROUP HAVING WINDOW ORDER LIMIT OFFSET FETCH RETURNING UNION INTERSECT EXCEPT"
)
_NOT_SCALAR = words("IN EXISTS FROM JOIN LATERAL ARRAY AS ALL ANY SOME UNION INTERSECT EXCEPT")


def in_outside_of_where(statement: Statement) -> bool:
    return any(
        not _is_condition_of_where(statement, index, statement.closing(index + 1))
        for subquery in ("SELECT", "WITH")
        for index in statement.places("IN", "(", subquery)
    )


def _is_condition_of_where(statement: Statement, start: int, end: int) -> bool:
    """Return whether what stands from `start` to `end` is a condition of its own in WHERE, or NOT of one."""
    before, clause = _level_before(statement, start)
    after = _level_after(statement, end)
    if before is None or "OR" in before or "OR" in after or after[:1] not in ([], ["AND"]):
        return False
    if statement.word(clause) == "WHERE":
        return True
    if statement.word(clause) != "(":
        return False
    outside = statement.word(clause - 1)
    if outside not in {"WHERE", "AND", "NOT", "("} or (outside == "NOT" and "AND" in before + after):
        return False
    return _is_condition_of_where(statement, clause, statement.closing(clause))


def _level_before(statement: Statement, start: int) -> tuple[list[str] | None, int]:
    """Return the words before `start` at its depth, without CASE … END, and the index of what they follow.

    The words are None within a CASE.
    """
    depth = statement.depths[start]
    index, inside, found = start - 1, 0, []
    while index >= 0 and statement.depths[index] >= depth:
        word = statement.words[index]
        if statement.depths[index] == depth:
            if word in _CLAUSES and not inside:
                break
            if word == "CASE" and not inside:
                return None, index
            inside += (word == "END") - (word == "CASE")
            if not inside:
                found.append(word)
        index -= 1
    return found[::-1], index


def _level_after(statement: Statement, end: int) -> list[str]:
    depth = statement.depths[end]
    found, inside = [], 0
    for index in range(end + 1, len(statement.words)):
        word = statement.words[index]
        if statement.depths[index] < depth or (statement.depths[index] == depth and word in _CLAUSES):
            break
        if statement.depths[index] == depth and word != ")":
            inside += (word == "CASE") - (word == "END")
            if not inside:
                found.append(word)
    return found


def subqueries_compared_in_where(statement: Statement) -> bool:
    for index in statement.places("="):
        if statement.word(index - 1) != ")":
            continue
        left = statement.opening(index - 1)
        right = index + 1 + (statement.word(index + 1) == "EXISTS")
        if (
            statement.word(left + 1) == "SELECT"
            and statement.words[right : right + 2] == ("(", "SELECT")
            and _clause_around(statement, index) in {"WHERE", "HAVING"}
        ):
            return True
    return False


def _clause_around(statement: Statement, index: int) -> str:
    """Return the first word of the clause that contains the word at `index`, also through parentheses."""
    while not (clause := statement.clause(index)) and statement.depths[index]:
        index = statement.opening(index)
    return clause


def several_rows(statement: Statement) -> bool:
    return any(
        statement.word(index - 1) not in _NOT_SCALAR
        and statement.clause(index) != "FROM"
        and "GROUP" in (clauses := statement.clauses(index + 1))
        and "LIMIT" not in clauses
        and statement.is_correlated(index)
        for index in statement.places("(", "SELECT")
    )

"""Conditions on literals and names as they are written, and on arguments."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django_risingwave.testing.statements.tokens import Statement

_COMPARISONS = {"=", "<>", "!=", "<", ">", "<=", ">="}
# The largest value of the crate rust_decimal, which numerics are.
_LARGEST_NUMERIC = Decimal(2**96 - 1)


def timeout_in_other_unit(statement: Statement) -> bool:
    """Statement timeouts need a unit, the others mustn't have one."""
    match = re.match(r"SET (?:LOCAL |SESSION )?(\w+_TIMEOUT) (?:TO|=) (?:0|'s')$", statement.text)
    if match is None:
        return False
    is_number = re.fullmatch(r"'?\d+'?", statement.written[-1])
    if match[1] == "STATEMENT_TIMEOUT":
        return bool(is_number) and statement.written[-1].strip("'0") != ""
    return not is_number


def name_with_quote(statement: Statement) -> bool:
    return any(
        '""' in written[1:-1]
        for written, word in zip(statement.written, statement.words, strict=True)
        if word == '"x"'
    )


def large_number(statement: Statement) -> bool:
    return any(
        Decimal(written) > _LARGEST_NUMERIC
        for written, word in zip(statement.written, statement.words, strict=True)
        if word == "0"
    )


def row_id_compared_with_number(statement: Statement) -> bool:
    return any(
        written.strip('"').lower() == "_row_id"
        and statement.word(index + 1) in _COMPARISONS
        and statement.word(index + 2) == "0"
        for index, written in enumerate(statement.written)
    )


def default_of_lag(statement: Statement) -> bool:
    return any(
        statement.words[index] in {"LAG", "LEAD"} and len(statement.items(index + 1)) > 2
        for index in statement.calls
    )

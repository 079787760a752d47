"""Find SQL that RisingWave would refuse, by the rules of its parser and of the stages after it.

A statement is split into tokens first, so that words inside literals, comments and quoted identifiers aren't
mistaken for SQL. Patterns are matched against the normalized tokens: words in upper case, one space between
tokens, `"x"` for a quoted identifier, `'s'` for a string, `0` for a number and `%s` for a parameter.
`SELECT a.b FROM "t" WHERE c = 'd'` becomes `SELECT A . B FROM "x" WHERE C = 's'`.

SYNTAX has the rules of RisingWave's parser, which are compared with the parser's verdicts. They aren't
a grammar: nonsense passes. UNSUPPORTED has the rules of the binder, the planner and the handlers, from
the source of v3.0.3 and from what 2.8.0 refused. DIFFERENT has those of statements that RisingWave 2.8.0
accepts, but answers otherwise than PostgreSQL: nobody would notice on the stand-in. All of them are compared
with the transcripts of 2.8.0.

No rule knows the catalog. So none finds an UPDATE of a primary key, RETURNING for a table with generated
columns, or an operator or function without an overload for the types of its operands.

Paths are those of github.com/risingwavelabs/risingwave at v3.0.3; the parser's are under src/sqlparser/src.
"""

from __future__ import annotations

from django_risingwave.testing.statements.rules import DIFFERENT, SYNTAX, UNSUPPORTED, Rule
from django_risingwave.testing.statements.tokens import split_statements

__all__ = ["DIFFERENT", "SYNTAX", "UNSUPPORTED", "syntax_errors", "violations"]


def syntax_errors(sql: str) -> list[str]:
    """Return why RisingWave's parser refuses this SQL; an empty list if it accepts it."""
    return _refusals(SYNTAX, sql)


def violations(sql: str) -> list[str]:
    """Return why RisingWave refuses this SQL or answers otherwise; an empty list if it does neither."""
    return _refusals(SYNTAX + UNSUPPORTED + DIFFERENT, sql)


def _refusals(rules: tuple[Rule, ...], sql: str) -> list[str]:
    parts = split_statements(sql)
    return [rule.refusal for rule in rules if any(rule.applies(part) for part in parts)]

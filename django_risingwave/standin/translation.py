"""Translates a SELECT of RisingWave's for PostgreSQL, and refuses what PostgreSQL can't say.

Only what differs is replaced in the text; the rest of it stays as it is written.
"""

# ruff: noqa: S608 - the SQL is the declaration's own

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import sqlglot
from django.db import NotSupportedError
from sqlglot.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlglot import Token

#: Windows begin at multiples of their size from here, in UTC, whatever the session's time zone: PostgreSQL
#: reads it as a timestamp with or without a zone, as the column is. RisingWave: get_window_start() in
#: src/expr/impl/src/scalar/tumble.rs at v3.0.3.
_EPOCH = "1970-01-01 00:00:00+00"

# Words, in upper case, that PostgreSQL doesn't know, and what the message calls them.
_REFUSED = {
    ("EMIT", "ON", "WINDOW", "CLOSE"): "EMIT ON WINDOW CLOSE",
    ("ASOF",): "ASOF JOIN",
    ("FOR", "SYSTEM_TIME", "AS", "OF"): "FOR SYSTEM_TIME AS OF",
    ("PROCTIME", "("): "proctime()",
}
# Tokens that end a table of FROM, so that no alias follows. Any other token is an alias.
_AFTER_TABLE = {
    ")", ",", ";", "CROSS", "EXCEPT", "FETCH", "FULL", "GROUP", "HAVING", "INNER", "INTERSECT", "JOIN",
    "LEFT", "LIMIT", "NATURAL", "OFFSET", "ON", "ORDER", "RIGHT", "UNION", "USING", "WHERE", "WINDOW",
}  # fmt: skip
_MONTHS = re.compile(r"\b(mons?|months?|y|yrs?|years?)\b", re.IGNORECASE)


def refusal(view: str, what: str) -> NotSupportedError:
    """Return the error of a view whose SELECT PostgreSQL can't run."""
    return NotSupportedError(
        f"PostgreSQL, which is the stand-in, can't compute view {view!r}: {what}. Set `standin` "
        'beside `query` to a SELECT that PostgreSQL runs instead, standin = "SELECT …", or use a RisingWave '
        "server."
    )


def translate(view: str, query: str) -> str:
    """Return the SELECT of a view for PostgreSQL. Raises NotSupportedError, naming the clause.

    TUMBLE and HOP become subqueries with the columns window_start and window_end. A window function without
    a frame gets RisingWave's.
    """
    tokens = _tokens(view, query)
    words = [word for token in tokens if _is_code(token) for word in token.text.upper().split()]
    for refused, name in _REFUSED.items():
        if any(tuple(words[start : start + len(refused)]) == refused for start in range(len(words))):
            raise refusal(view, f"it lacks {name}")
    replacements = [*_window_tables(view, query, tokens), *_frames(tokens)]
    for start, end, text in sorted(replacements, reverse=True):
        query = query[:start] + text + query[end:]
    return query.strip().rstrip(";")


def _tokens(view: str, query: str) -> list[Token]:
    try:
        return sqlglot.tokenize(query, read="risingwave")
    except TokenError as error:
        raise refusal(view, f"its SELECT can't be read ({error})") from error


def _is_code(token: Token) -> bool:
    return token.token_type.name not in ("STRING", "NATIONAL_STRING", "IDENTIFIER", "HEREDOC_STRING")


def _window_tables(view: str, query: str, tokens: Sequence[Token]) -> Iterator[tuple[int, int, str]]:
    """Yield the places of TUMBLE(…) and HOP(…), and what takes their place."""
    for number, token in enumerate(tokens[:-1]):
        function = token.text.upper()
        if not (function in ("TUMBLE", "HOP") and _is_code(token) and tokens[number + 1].text == "("):
            continue
        last = _closing(tokens, number + 1)
        arguments = [query[start:end] for start, end in _arguments(tokens[number + 2 : last + 1])]
        if len(arguments) not in ({"TUMBLE": (3, 4), "HOP": (4, 5)}[function]):
            raise refusal(view, f"{function} has {len(arguments)} arguments")
        if any(_MONTHS.search(argument) for argument in arguments[2:]):
            raise refusal(view, f"its windows of {function} are months or years, which differ in length")
        text = _tumble(*arguments) if function == "TUMBLE" else _hop(*arguments)
        after = tokens[last + 1].text.upper().split() if last + 1 < len(tokens) else []
        if not after or after[0] in _AFTER_TABLE:
            # RisingWave's name for it is that of the table.
            text += f" AS {arguments[0].split('.')[-1].strip()}"
        yield token.start, tokens[last].end + 1, text


def _tumble(table: str, column: str, size: str, offset: str | None = None) -> str:
    start = _window_start(column, size, offset)
    return f"(SELECT *, {start} AS window_start, {start} + {_fixed(size)} AS window_end FROM {table})"


def _hop(table: str, column: str, slide: str, size: str, offset: str | None = None) -> str:
    start = f'({_window_start(column, slide, offset)} - "*.number" * {_fixed(slide)})'
    last = f"(extract(epoch FROM {size}) / extract(epoch FROM {slide}))::int - 1"
    return (
        f"(SELECT {table}.*, {start} AS window_start, {start} + {_fixed(size)} AS window_end "
        f'FROM {table} CROSS JOIN generate_series(0, {last}) AS "*.windows" ("*.number") '
        f"WHERE {column} IS NOT NULL)"
    )


def _window_start(column: str, size: str, offset: str | None) -> str:
    # Adding an interval makes a timestamp of a date.
    time = f"{column} + INTERVAL '0'"
    if offset is None:
        return f"date_bin({size}, {time}, '{_EPOCH}')"
    return f"(date_bin({size}, {time} - {_fixed(offset)}, '{_EPOCH}') + {_fixed(offset)})"


def _fixed(interval: str) -> str:
    """Return an interval in seconds: a day of it has 24 hours in any time zone."""
    return f"extract(epoch FROM {interval}) * INTERVAL '1 second'"


def _frames(tokens: Sequence[Token]) -> Iterator[tuple[int, int, str]]:
    """Yield the ends of window definitions with ORDER BY and no frame, and RisingWave's frame for them.

    RisingWave 2.8.0 ends such a frame at the row, PostgreSQL at the last of the rows that are ordered alike.
    """
    for number in range(len(tokens)):
        if not _begins_window(tokens[number : number + 3]):
            continue
        last = _closing(tokens, number + 1)
        depth, words = 0, set[str]()
        for part in tokens[number + 2 : last]:
            depth += (part.text == "(") - (part.text == ")")
            if depth == 0 and _is_code(part):
                words |= set(part.text.upper().split())
        if "ORDER" in words and not words & {"ROWS", "RANGE", "GROUPS"}:
            end = tokens[last].start
            yield end, end, " ROWS UNBOUNDED PRECEDING"


def _begins_window(tokens: Sequence[Token]) -> bool:
    """Return whether the first of the tokens comes before the definition of a window: OVER (…, or w AS (…."""
    if len(tokens) < 3 or not _is_code(tokens[0]) or tokens[1].text != "(":
        return False
    first = tokens[2].text.upper().split()
    return tokens[0].text.upper() == "OVER" or (
        # A CTE begins with SELECT.
        tokens[0].text.upper() == "AS" and _is_code(tokens[2]) and first[:1] in (["PARTITION"], ["ORDER"])
    )


def _closing(tokens: Sequence[Token], opening: int) -> int:
    depth = 0
    for number in range(opening, len(tokens)):
        if _is_code(tokens[number]):
            depth += (tokens[number].text == "(") - (tokens[number].text == ")")
        if depth == 0:
            return number
    return len(tokens) - 1


def _arguments(tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Return where each argument begins and ends, of tokens that end with the closing parenthesis."""
    arguments, depth, start = [], 0, tokens[0].start
    for token in tokens:
        if _is_code(token):
            if token is tokens[-1] or (token.text == "," and depth == 0):
                arguments.append((start, token.start))
                start = token.end + 1
            depth += (token.text == "(") - (token.text == ")")
    return arguments

"""What the CREATE statement of a source, a table with a connector, or a sink says about its connector.

RisingWave 2.8.0 keeps it in the form `CREATE SOURCE clicks (page CHARACTER VARYING) WITH (connector =
'kafka', topic = 'clicks') FORMAT PLAIN ENCODE JSON`, in which passwords stand in clear, and secrets by their
names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django_risingwave.streaming.connectors.options import exposed
from django_risingwave.streaming.identifiers import unquoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOKEN = re.compile(
    r"""'(?:[^']|'')*' | (?:"(?:[^"]|"")*"|\w+)(?:\.(?:"(?:[^"]|"")*"|\w+))* | \S""", re.VERBOSE
)
# What stands for the value of an environment variable in a definition's SQL.
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class SecretName:
    """A secret as the value of an option."""

    name: str


@dataclass
class Connector:
    """The clauses of a statement, with the defaults of statements without them."""

    options: dict[str, str | SecretName] = field(default_factory=dict)
    format: str | None = None
    encode: str | None = None
    encode_options: dict[str, str | SecretName] = field(default_factory=dict)
    #: The column of each part of a message: "timestamp", "header.<name>".
    include: dict[str, str] = field(default_factory=dict)
    append_only: bool = False
    on_conflict: str | None = None
    #: A column and an SQL expression.
    watermark: tuple[str, str] | None = None
    #: Of a sink: the table that it writes to, and its SELECT if it has one.
    into: str | None = None
    query: str | None = None


def read_connector(sql: str) -> Connector | None:
    """Return the clauses, or None if the statement has none: it creates an ordinary table, or a mirror."""
    found = Connector()
    try:
        for name, clause in _clauses(sql):
            _read(found, name, clause, sql)
    except (IndexError, ValueError):
        # A form that no server has shown yet.
        return None
    # An ordinary table may have other options after WITH.
    return found if "connector" in found.options or found.into else None


def variable(value: str | SecretName) -> str | None:
    """Return the environment variable that a definition has in place of an option's value."""
    match = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else None


def hides_value(name: str, value: object) -> bool:
    """Return whether an option's value is a password or has one, as far as the name and the text tell."""
    return isinstance(value, str) and any(exposed({name: value or "x"}))


_CLAUSES = frozenset({"APPEND", "AS", "FORMAT", "FROM", "INCLUDE", "INTO", "ON", "WITH"})


def _clauses(sql: str) -> Iterator[tuple[str, list[re.Match[str]]]]:
    """Yield each clause outside parentheses: its first word, and the tokens after it."""
    name, depth = "", 0
    clause: list[re.Match[str]] = []
    for token in _TOKEN.finditer(sql):
        word = token[0].upper()
        # What follows AS is another clause's alias, but a sink's SELECT goes on to WITH.
        begins = (
            word in _CLAUSES
            and not (word == "AS" and name == "INCLUDE")
            and not (name == "AS" and word != "WITH")
        )
        if depth == 0 and begins:
            yield name, clause
            name, clause = word, []
        else:
            clause.append(token)
        depth += {"(": 1, ")": -1}.get(word, 0)
    yield name, clause


def _read(found: Connector, name: str, clause: Sequence[re.Match[str]], sql: str) -> None:
    words = [token[0] for token in clause]
    match name:
        case "":
            found.watermark = _watermark(clause, sql)
        case "APPEND":
            found.append_only = True
        case "ON":
            found.on_conflict = " ".join(words[1:]).upper()
        case "INCLUDE":
            part = words[0].lower()
            if part == "header":
                part = f"header.{_text(words[1])}"
            found.include[part] = unquoted(words[-1])
        case "INTO":
            found.into = unquoted(words[0])
        case "AS":
            found.query = sql[clause[0].start() : clause[-1].end()]
        case "WITH":
            found.options = _options(words)
        case "FORMAT":
            found.format, found.encode = words[0].upper(), words[2].upper()
            found.encode_options = _options(words[3:])


def _options(words: Sequence[str]) -> dict[str, str | SecretName]:
    """Return the options of `(name = 'value', …)`."""
    options: dict[str, str | SecretName] = {}
    rest = iter(words[1:-1])
    for name in rest:
        if name == ",":
            continue
        if next(rest) != "=":
            raise ValueError(name)
        value = next(rest)
        key = ".".join(map(unquoted, re.findall(r'"(?:[^"]|"")*"|\w+', name)))
        options[key] = SecretName(unquoted(next(rest))) if value.upper() == "SECRET" else _text(value)
    return options


def _watermark(clause: Sequence[re.Match[str]], sql: str) -> tuple[str, str] | None:
    """Return the column and the expression of `WATERMARK FOR column AS expression` among the columns."""
    words = [token[0].upper() for token in clause]
    if "WATERMARK" not in words:
        return None
    first = words.index("WATERMARK")
    depth, last = 0, first + 4
    for last in range(first + 4, len(words)):
        depth += {"(": 1, ")": -1}.get(words[last], 0)
        if depth < 0 or (depth == 0 and words[last] == ","):
            break
    expression = sql[clause[first + 4].start() : clause[last].start()].strip()
    return unquoted(clause[first + 2][0]), expression


def _text(value: str) -> str:
    """Return the text of a literal, or of a number or a word."""
    return value[1:-1].replace("''", "'") if value.startswith("'") else value

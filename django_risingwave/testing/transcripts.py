"""Statements and what a RisingWave server answered to them, as recorded on the wire.

tests/django_risingwave/data/README.md, in the project's repository, describes the records. A statement is
looked up by its text, then by its form, then by its shape. Statements have the same form if they differ in
literals, in generated names or in the number of rows that they insert, and the same shape if they also differ
in quoted names or in the number of columns listed.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django_risingwave.testing.statements.tokens import parse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django_risingwave.testing.statements.tokens import Statement

FOLDER = Path(__file__).parent / "data"
#: The release that the double plays.
VERSION = "2.8.0"
# A record of a longer result has the first rows and the number of the rest.
RECORDED_ROWS = 8

_NAME = r'"[^"]*"'
_VALUE = r"(?:0|b?'s'|NULL|TRUE)(?: :: [A-Z]+)?"
_COLUMN = rf"{_NAME} \. {_NAME}(?: AS {_NAME})?"
_FORM = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\bFALSE\b", "TRUE"),
        # Negative numbers.
        (r"(?<=[(,=<>+*/\[] )- (?=0\b)", ""),
        # Lists of literals.
        (r" IN \( (0|'s')(?: , \1)+ \)", r" IN ( \1 )"),
        (r"\bARRAY \[ (0|'s')(?: , \1)+ \]", r"ARRAY [ \1 ]"),
        # What INSERT and UPDATE store.
        (rf" VALUES (?:(?:, )?\( {_VALUE}(?: , {_VALUE})* \) ?)+(?=RETURNING |$)", " VALUES ( 0 ) "),
        (rf"(?<= SET )({_NAME}) = {_VALUE}(?= WHERE | , |$)", r"\1 = 0"),
        (rf" , ({_NAME}) = {_VALUE}(?= WHERE | , |$)", r" , \1 = 0"),
    ]
]
_SHAPE = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (rf"{_COLUMN}(?: , {_COLUMN})+", '"x" . "x"'),
        (rf"(?<=\( ){_NAME}(?: , {_NAME})+(?= \))", '"x"'),
        (rf" SET {_NAME} = 0(?: , {_NAME} = 0)+", ' SET "x" = 0'),
        (_NAME, '"x"'),
    ]
]


@dataclass(frozen=True)
class Transcript:
    """A statement, or several sent as one, and the server's answer."""

    sql: str
    #: The name and the type's oid of each column.
    columns: tuple[tuple[str, int], ...] = ()
    #: The first rows, as text.
    rows: tuple[tuple[str | None, ...], ...] = ()
    #: How many rows came after them.
    more: int = 0
    #: The tag of each CommandComplete.
    tags: tuple[str, ...] = ()
    #: The fields of notices and of the error, by their codes: S, C, M …
    notices: tuple[dict[str, str], ...] = ()
    error: dict[str, str] | None = None

    @classmethod
    def from_json(cls, line: str) -> Transcript:
        """Return the record of a line."""
        values: dict[str, Any] = json.loads(line)
        for name in ("columns", "rows"):
            values[name] = tuple(tuple(item) for item in values.get(name, ()))
        return cls(**values | {name: tuple(values.get(name, ())) for name in ("tags", "notices")})

    def to_json(self) -> str:
        """Return the record as a line without its end."""
        values = {name: value for name, value in vars(self).items() if value or name == "sql"}
        return json.dumps(values, ensure_ascii=False)


def load(version: str = VERSION) -> list[Transcript]:
    """Return the transcripts of a release, in the order of their recording."""
    lines = (FOLDER / f"{version}.jsonl").read_text(encoding="utf-8").splitlines()
    return [Transcript.from_json(line) for line in lines]


@lru_cache(maxsize=10_000)
def form(sql: str) -> str:
    """Return the SQL with literals and generated names normalized: words in upper case, names as written."""
    text = " ; ".join(" ".join(_words(statement)) for statement in parse(sql))
    return _replaced(_FORM, text)


@lru_cache(maxsize=10_000)
def shape(sql: str) -> str:
    """Return the form with quoted names and lists of columns normalized too."""
    return _replaced(_SHAPE, form(sql))


class Transcripts:
    """Transcripts, to look statements up in."""

    def __init__(self, transcripts: Iterable[Transcript]) -> None:
        self._found: defaultdict[str, list[Transcript]] = defaultdict(list)
        #: The tables that the server has created, and the definitions of their columns.
        self._tables: list[Transcript] = []
        self._definitions: set[str] = set()
        for transcript in transcripts:
            for key in _keys(transcript.sql):
                self._found[key].append(transcript)
            if not transcript.error and (definitions := _definitions(transcript.sql)):
                self._tables.append(transcript)
                self._definitions |= definitions

    def find(self, sql: str) -> list[Transcript]:
        """Return all transcripts of the text, or else of the form, or else of the shape."""
        for key in _keys(sql):
            if found := self._found.get(key):
                return found
        definitions = _definitions(sql)
        return self._tables if definitions and definitions <= self._definitions else []


@cache
def recorded(version: str = VERSION) -> Transcripts:
    """Return the transcripts of a release, to look statements up in."""
    return Transcripts(load(version))


def _keys(sql: str) -> list[str]:
    # Each key names its kind, so that a form isn't taken for a text.
    return [f"text {sql}", f"form {form(sql)}", f"shape {shape(sql)}"]


def _words(statement: Statement) -> Iterable[str]:
    for written, word in zip(statement.written, statement.words, strict=True):
        # Such as "_django_curs_139653017705344_sync_1" and "title_f9e9e375".
        yield re.sub(r"(?<=_)[0-9a-f]{8}(?=\b|_)|\d+", "0", written) if word == '"x"' else word


def _replaced(rules: list[tuple[re.Pattern[str], str]], text: str) -> str:
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text.strip()


def _definitions(sql: str) -> set[str]:
    """Return the shapes of the column definitions in CREATE TABLE."""
    return {
        " ".join(statement.words[column.start : column.stop])
        for statement in parse(sql)
        if statement.text.startswith("CREATE TABLE ")
        for column in statement.columns
    }

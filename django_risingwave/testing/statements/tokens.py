"""Split SQL into tokens, and find the parts of a statement among them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

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

NAME = r'(?:"x"|[A-Z_]\w*)'
QUALIFIED = rf"{NAME}(?: \. {NAME})*"


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_AFTER_JOIN = words(
    "JOIN INNER LEFT RIGHT FULL CROSS WHERE GROUP ORDER HAVING LIMIT OFFSET UNION INTERSECT EXCEPT WINDOW "
    "RETURNING"
)
_SET_OPERATORS = words("UNION INTERSECT EXCEPT")
_CLAUSES = words("FROM WHERE GROUP HAVING WINDOW ORDER LIMIT OFFSET FETCH")
_NAMED = re.compile(NAME)
_EXPLAINABLE = words("SELECT WITH VALUES INSERT UPDATE DELETE CREATE ( DECLARE FETCH")
_NO_COLUMN = words("CONSTRAINT PRIMARY UNIQUE CHECK FOREIGN EXCLUDE LIKE WATERMARK")


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
            word for word, depth in zip(self.words, self.depths, strict=True) if not depth or word in "()"
        )

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """How many parentheses and brackets each word stands in. They themselves stand outside."""
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

    def places_in(self, part: range, *words: str) -> list[int]:
        """Return the indexes of these words in a part of the statement, outside of inner parentheses."""
        depth = min((self.depths[i] for i in part), default=0)
        return [i for i in part if self.words[i] in words and self.depths[i] == depth]

    def closing(self, index: int) -> int:
        """Return the index of the closing parenthesis for the one at `index`."""
        depth = self.depths[index]
        return next(
            (
                i
                for i in range(index + 1, len(self.words))
                if self.words[i] == ")" and self.depths[i] == depth
            ),
            len(self.words),
        )

    def opening(self, index: int) -> int:
        """Return the index of the opening parenthesis for the one at `index`."""
        depth = self.depths[index]
        return next(i for i in range(index - 1, -1, -1) if self.words[i] == "(" and self.depths[i] == depth)

    def items(self, index: int) -> list[range]:
        """Return the comma-separated items in the parentheses that open at `index`."""
        end, depth, start, items = self.closing(index), self.depths[index] + 1, index + 1, []
        for i in range(index + 1, end):
            if self.words[i] == "," and self.depths[i] == depth:
                items.append(range(start, i))
                start = i + 1
        return [*items, range(start, end)]

    def clause(self, index: int) -> str:
        """Return the first word of the clause that contains the word at `index`."""
        clauses = {"SELECT", "FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "RETURNING", "VALUES"}
        depth = self.depths[index]
        for i in range(index - 1, -1, -1):
            if self.depths[i] < depth:
                break
            if self.depths[i] == depth and self.words[i] in clauses:
                return self.words[i]
        return ""

    def select(self, index: int) -> int:
        """Return the index of the innermost SELECT that contains the word at `index`, or -1."""
        depth = self.depths[index]
        for i in range(index - 1, -1, -1):
            depth = min(depth, self.depths[i])
            if self.words[i] == "SELECT" and self.depths[i] == depth:
                return i
        return -1

    def clauses(self, select: int) -> dict[str, range]:
        """Return the clauses of the SELECT at this index, by their first words."""
        depth, end = self.depths[select], select + 1
        starts = [select]
        while end < len(self.words) and self.depths[end] >= depth:
            if self.depths[end] == depth:
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
        depth = min((self.depths[i] for i in clause), default=0)
        commas = [i for i in clause if self.words[i] == "," and self.depths[i] == depth]
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
            and not self._has_alias(i)
        ]
        return any(
            self.word(i + 1) == "." and self.written[i].strip('"').upper() not in names
            for i in inside
            if _NAMED.fullmatch(self.words[i]) and self.word(i - 1) != "."
        )

    def _has_alias(self, index: int) -> bool:
        """Return whether the relation at `index` has an alias, which hides its name."""
        after = self.word(index + 1)
        return self.word(index - 1) in {"FROM", "JOIN"} and (
            after == "AS" or bool(_NAMED.fullmatch(after) and after not in _AFTER_JOIN | {"ON", "USING"})
        )

    def condition(self, index: int) -> tuple[str, ...]:
        """Return the words of the join condition after the ON at `index`."""
        depth, end = self.depths[index], index + 1
        while end < len(self.words) and (
            self.depths[end] > depth or (self.depths[end] == depth and self.words[end] not in _AFTER_JOIN)
        ):
            end += 1
        return self.words[index:end]

    @cached_property
    def columns(self) -> list[range]:
        """The column definitions of CREATE TABLE and ALTER TABLE … ADD COLUMN, starting with the names."""
        if re.match(r"CREATE .*?TABLE ", self.text) and "(" in self.words:
            items = self.items(self.words.index("("))
            return [item for item in items if item and self.words[item.start] not in _NO_COLUMN]
        added = re.match(rf"ALTER TABLE {QUALIFIED} ADD (?:COLUMN )?(?:IF NOT EXISTS )?", self.text)
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
            end, depth = self.closing(index + 1), self.depths[index + 1] + 1
            casts = (
                i for i in range(end - 1, index, -1) if self.words[i] == "AS" and self.depths[i] == depth
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


def split_statements(sql: str) -> list[Statement]:
    """Split SQL at semicolons. The statement inside an EXPLAIN follows it as a statement of its own."""
    return [part for statement in parse(sql) for part in (statement, *_explained(statement))]


def parse(sql: str) -> list[Statement]:
    """Split SQL at semicolons."""
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
    return found


def split_text(sql: str) -> list[str]:
    """Split SQL at semicolons, and return the statements as written, without the space around them."""
    ends = [match.start() for match in _TOKEN.finditer(sql) if match[0] == ";"]
    parts = [
        sql[start:end].strip() for start, end in zip([0, *(e + 1 for e in ends)], [*ends, None], strict=True)
    ]
    return [part for part in parts if part]


def _normalized(match: re.Match[str]) -> str:
    return _NORMALIZED.get(match.lastgroup or "", match[0].upper())


def _explained(statement: Statement) -> Iterator[Statement]:
    match = re.match(r"EXPLAIN (?:ANALYZE |VERBOSE )*(?:\( (?!SELECT|WITH|VALUES|\().*?\) )?", statement.text)
    if match and statement.word(start := match[0].count(" ")) in _EXPLAINABLE:
        yield Statement(statement.written[start:], statement.words[start:])

"""PostgreSQL's answer to a statement in the form of RisingWave's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache, cached_property

from django_risingwave.testing.double import messages
from django_risingwave.testing.double.errors import translated
from django_risingwave.testing.double.translation import recorded_answer
from django_risingwave.testing.transcripts import Transcript, form, load, recorded

# Types that RisingWave doesn't have, and those that it has for them. By oid:
# https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/catalog/pg_type.dat
_OIDS = {
    18: 1043,  # "char"
    19: 1043,  # name
    25: 1043,  # text
    705: 1043,  # unknown
    1042: 1043,  # character
    26: 23,  # oid
    22: 1005,  # int2vector
    1009: 1015,  # text[]
    1003: 1015,  # name[]
}
_TIMESTAMPTZ = 1184
# PostgreSQL's errors about what it doesn't have. What RisingWave accepted is answered as recorded then.
_LACKING = {
    "0A000": "feature not supported",
    "22023": "invalid parameter value",
    "23505": "unique violation: RisingWave overwrites the row",
    "42601": "syntax error",
    "42704": "undefined object",
    "42809": "wrong object type: an index on a view",
    "42883": "undefined function",
    "42P13": "invalid function definition",
}
# Characters of a statement. To look up a longer one takes tens of milliseconds.
_MAX_LOOKED_UP = 20_000


@dataclass
class Batch:
    """The statements of one query message."""

    has_failed: bool = False


@dataclass
class Exchange:
    """A statement on its way: what becomes of the messages that answer it."""

    sql: str
    #: The whole answer, instead of the stand-in's.
    answer: bytes | None = None
    batch: Batch = field(default_factory=Batch)
    is_last: bool = True
    #: Whether the client didn't send it.
    is_hidden: bool = False
    _shown: list[int] = field(default_factory=list)
    _oids: list[int] = field(default_factory=list)

    @property
    def is_looked_up(self) -> bool:
        """Whether it is short enough. An INSERT of many rows isn't."""
        return len(self.sql) <= _MAX_LOOKED_UP

    @cached_property
    def found(self) -> list[Transcript]:
        """The transcripts of the statement."""
        return recorded().find(self.sql) if self.is_looked_up else []

    @cached_property
    def of_same_form(self) -> list[Transcript]:
        """The transcripts that have the statement's names, and so its columns."""
        return [transcript for transcript in self.found if form(transcript.sql) == form(self.sql)]

    def convert(self, kind: bytes, body: bytes) -> bytes:
        """Return what the client is sent in place of this message."""
        if self.is_hidden or self.batch.has_failed:
            return b""
        convert = getattr(self, f"_convert_{kind.decode()}", None)
        converted: bytes = convert(body) if convert else messages.message(kind, body)
        return converted

    def _convert_I(self, body: bytes) -> bytes:  # noqa: N802 - the kind of the message: EmptyQueryResponse
        if self.answer is None:
            return messages.message(b"I")
        self.batch.has_failed = messages.has_error(self.answer)
        return self.answer

    def _convert_T(self, body: bytes) -> bytes:  # noqa: N802 - RowDescription
        columns = messages.read_columns(body)
        hides = "*" in self.sql and "_row_id" not in self.sql
        self._shown = [index for index, (name, _) in enumerate(columns) if not (hides and name == "_row_id")]
        columns = [
            (columns[index][0], _OIDS.get(columns[index][1], columns[index][1])) for index in self._shown
        ]
        if not re.match(r"SELECT \*|FETCH", self.sql):
            # The columns of `*` and of a cursor are those that the relation has now.
            known = (transcript.columns for transcript in self.of_same_form)
            columns = next((list(item) for item in known if len(item) == len(columns)), columns)
        self._oids = [oid for _, oid in columns]
        return messages.columns(columns)

    def _convert_D(self, body: bytes) -> bytes:  # noqa: N802 - DataRow
        values = messages.read_row(body)
        shown = [values[index] for index in self._shown]
        if _TIMESTAMPTZ in self._oids:
            shown = [
                _timestamptz(value) if value and oid == _TIMESTAMPTZ else value
                for value, oid in zip(shown, self._oids, strict=True)
            ]
        return messages.row(shown)

    def _convert_C(self, body: bytes) -> bytes:  # noqa: N802 - CommandComplete
        return messages.complete(tag(self.sql, body[:-1].decode()))

    def _convert_N(self, body: bytes) -> bytes:  # noqa: N802 - NoticeResponse
        notice = messages.read_fields(body)
        if not notice["M"].startswith("table "):
            return b""
        return messages.fields(b"N", {"S": "NOTICE", "C": "00000", "M": notice["M"]})

    def _convert_E(self, body: bytes) -> bytes:  # noqa: N802 - ErrorResponse
        error = messages.read_fields(body)
        refused = [transcript for transcript in self.found if transcript.error]
        accepted = [transcript for transcript in self.of_same_form if not transcript.error]
        is_lacking = error["C"] in _LACKING or 'relation "rw_catalog.' in error["M"]
        if accepted and is_lacking:
            return recorded_answer(accepted[0])
        self.batch.has_failed = True
        if refused and refused == self.found and refused[0].sql == self.sql:
            return recorded_answer(refused[0])
        return messages.fields(b"E", translated(error, self.sql))


class PassedOn(Exchange):
    """Messages of the startup or of the extended query protocol. Results may be binary."""

    def __init__(self) -> None:
        super().__init__("")

    def convert(self, kind: bytes, body: bytes) -> bytes:
        if kind == b"E":
            return messages.fields(b"E", translated(messages.read_fields(body), ""))
        if kind == b"S" and body.startswith(b"server_version\0"):
            return messages.message(b"S", b"server_version\x0013.14.0\0")
        if kind == b"S" and body.startswith((b"DateStyle\0", b"IntervalStyle\0")):
            # psycopg2 asked 2.8.0 for it: RisingWave doesn't report it.
            return b""
        return messages.message(kind, body)


def tag(sql: str, given: str) -> str:
    """Return RisingWave's tag for the statement whose tag in PostgreSQL is `given`."""
    if re.match(r"(INSERT|UPDATE|DELETE) ", given):
        return given
    if sql.upper().startswith("FETCH"):
        return "FETCH_CURSOR"
    return _tags().get(_kind(sql), given.replace(" ", "_") if not given.startswith("SELECT") else given)


@cache
def _tags() -> dict[str, str]:
    """Return the tag of each kind of statement that was recorded."""
    return {
        _kind(transcript.sql): transcript.tags[0]
        for transcript in load()
        if len(transcript.tags) == 1 and not re.search(r"\d", transcript.tags[0])
    }


def _kind(sql: str) -> str:
    match = re.match(r"(?:CREATE|DROP|ALTER) (?:MATERIALIZED )?\w+|\w+", sql.strip(), re.IGNORECASE)
    return match[0].upper() if match else ""


def _timestamptz(text: bytes) -> bytes:
    """Write minutes of the zone, and thousandths or millionths of a second."""
    match = re.fullmatch(rb"(.*?\d\d:\d\d:\d\d)(?:\.(\d+))?([+-]\d\d)(:\d\d)?(.*)", text)
    if match is None:
        return text
    time, fraction, hours, minutes, era = match.groups(b"")
    digits = b"." + fraction.ljust(3 if len(fraction) <= 3 else 6, b"0") if fraction else b""
    return time + digits + hours + (minutes or b":00") + era

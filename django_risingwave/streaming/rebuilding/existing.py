"""What stands on what in a RisingWave: every object of the database, as its catalog has it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from django_risingwave.streaming.identifiers import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django_risingwave.base import DatabaseWrapper

_OBJECTS = """
    SELECT relation.id, relation.name, relation.relation_type, relation.definition, account.name,
        account.name = current_user, schema.name = current_schema(), relation.acl
    FROM rw_catalog.rw_relations AS relation
    JOIN rw_catalog.rw_schemas AS schema ON schema.id = relation.schema_id
    JOIN rw_catalog.rw_users AS account ON account.id = relation.owner
    WHERE relation.relation_type <> 'system table'
    ORDER BY relation.id
"""
_DEPENDENCIES = """
    SELECT objid, refobjid FROM rw_catalog.rw_depend
    UNION
    SELECT id, primary_table_id FROM rw_catalog.rw_indexes
"""
_SUPERUSERS = "SELECT name FROM rw_catalog.rw_users WHERE is_super"

# The start of a definition, up to the name of what it creates.
_HEAD = re.compile(
    rf"\s*CREATE\s+(MATERIALIZED\s+VIEW|VIEW|SUBSCRIPTION|INDEX)\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"(?:{NAME}\.)?({NAME})",
    re.IGNORECASE,
)
# What follows the name of a view: columns, options, the query.
_QUERY = re.compile(
    r"\s*(\([^()]*\))?\s*(?:WITH\s*\([^()]*\)\s*)?AS\s+(.*?)(\s+EMIT\s+ON\s+WINDOW\s+CLOSE)?[\s;]*",
    re.IGNORECASE | re.DOTALL,
)
# The catalog has an access list such as {reader=r/root}: the user, the privileges (r is SELECT), who granted
# them. A star marks the right to grant it on.
_ACCESS = re.compile(r'"?(?P<user>.+?)"?=(?P<privileges>[^/]*)/.*')


@dataclass(frozen=True)
class ExistingObject:
    """A table, view, index, sink, subscription and so on."""

    #: Grows with each object created, and survives SWAP and RENAME.
    id: int
    name: str
    #: The kind in lower case, such as "materialized view".
    kind: str
    #: The statement that creates it, as the server keeps it. Renames of what it reads have changed it.
    definition: str = field(repr=False)
    owner: str
    is_own: bool
    is_in_schema: bool
    access: tuple[str, ...] = field(repr=False)

    def __str__(self) -> str:
        return f'{self.kind} "{self.name}"'

    def readers(self) -> Iterator[tuple[str, bool]]:
        """Yield the users that may SELECT from it, and whether they may grant that."""
        for item in self.access:
            if (match := _ACCESS.fullmatch(item)) and "r" in match["privileges"]:
                yield match["user"], "r*" in match["privileges"]


class Existing:
    """The objects of a database and their dependencies, read by two queries."""

    def __init__(self, connection: DatabaseWrapper) -> None:
        self._connection = connection
        with connection.cursor() as cursor:
            cursor.execute(_OBJECTS)
            self.objects: dict[int, ExistingObject] = {}
            for number, name, kind, definition, owner, is_own, is_in_schema, access in cursor.fetchall():
                # A table with a connector is listed as a source too, under another id.
                self.objects[number] = ExistingObject(
                    number, name, kind, definition, owner, is_own, is_in_schema, tuple(access or ())
                )
            cursor.execute(_DEPENDENCIES)
            self.reads: dict[int, set[int]] = {}
            self.used_by: dict[int, set[int]] = {}
            for user, used in cursor.fetchall():
                self.reads.setdefault(user, set()).add(used)
                self.used_by.setdefault(used, set()).add(user)

    @cached_property
    def superusers(self) -> set[str]:
        """The names of the users that may do everything."""
        with self._connection.cursor() as cursor:
            cursor.execute(_SUPERUSERS)
            return {name for (name,) in cursor.fetchall()}

    def named(self, name: str) -> ExistingObject | None:
        """Return the object of this name in the current schema."""
        found = [item for item in self.objects.values() if item.name == name and item.is_in_schema]
        return min(found, key=lambda item: item.kind == "source", default=None)

    def found(self, numbers: Iterable[int]) -> list[ExistingObject]:
        """Return the objects of these ids, except those that the catalog doesn't list."""
        return [self.objects[number] for number in sorted(numbers) if number in self.objects]

    def dependents(self, numbers: Iterable[int]) -> set[int]:
        """Return the ids of all that stands on these objects, directly or through others."""
        found: set[int] = set()
        waiting = list(numbers)
        while waiting:
            new = self.used_by.get(waiting.pop(), set()) - found
            found |= new
            waiting.extend(new)
        return found & self.objects.keys()

    def leaves_first(self, numbers: Iterable[int]) -> list[ExistingObject]:
        """Return the objects so that each comes before what it reads."""
        chosen = set(numbers)
        return [
            self.objects[number]
            for number in sorted(chosen, key=lambda number: (len(self.dependents([number]) & chosen), number))
        ]


def renamed(definition: str, name: str) -> str:
    """Return a CREATE statement for an object of another name, which is quoted already.

    The rest of the text stays as it is. Raises ValueError for a statement that isn't one of a view, an index
    or a subscription.
    """
    match = _HEAD.match(definition)
    if match is None:
        raise ValueError(f"This isn't the definition of a view, an index or a subscription: {definition!r}.")
    kind = " ".join(match[1].upper().split())
    return f"CREATE {kind} {name}{definition[match.end() :]}"


def select_of(definition: str) -> tuple[str, str]:
    """Return the list of columns of a view's CREATE statement, or "", and its SELECT."""
    match = _HEAD.match(definition)
    parts = _QUERY.fullmatch(definition, match.end()) if match else None
    if parts is None:
        raise ValueError(f"This isn't the definition of a view: {definition!r}.")
    return parts[1] or "", parts[2]

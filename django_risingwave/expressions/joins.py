"""The joins of a query."""

from __future__ import annotations

from typing import Any

from django.db.models import OneToOneRel
from django.db.models.fields.reverse_related import ForeignObjectRel


def repeats_rows(query: Any) -> bool:
    """Return whether a join can give several rows for one row of the query's own table.

    Such joins follow a relation in reverse, also those of a ManyToManyField or a GenericRelation.
    """
    joined = [alias for alias, count in query.alias_refcount.items() if count and alias != query.base_table]
    fields = [getattr(query.alias_map[alias], "join_field", None) for alias in joined]
    return any(
        field is None or (isinstance(field, ForeignObjectRel) and not isinstance(field, OneToOneRel))
        for field in fields
    )

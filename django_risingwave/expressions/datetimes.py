"""Dates and times of a NaiveDateTimeField, which Django would convert to the current time zone."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from django.db.models.lookups import YearLookup

from django_risingwave.fields import NaiveDateTimeField

if TYPE_CHECKING:
    from django.db.models.sql.compiler import SQLCompiler

    from django_risingwave.base import DatabaseWrapper


def part_as_risingwave(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper, **context: Any) -> Any:
    """Write Extract and Trunc of a naive datetime without AT TIME ZONE."""
    if isinstance(node.lhs.output_field, NaiveDateTimeField):
        if node.tzinfo is not None:
            raise ValueError(
                f"{type(node).__name__}() can't convert a NaiveDateTimeField to a time zone. Remove tzinfo. "
                "QuerySet.datetimes() and the admin's date_hierarchy always pass one: annotate() the field "
                "with TruncDay() or the like, or use dates()."
            )
        node = copy(node)
        node.get_tzname = lambda: None
    return node.as_sql(compiler, connection, **context)


def year_as_risingwave(node: Any, compiler: SQLCompiler, connection: DatabaseWrapper) -> Any:
    """Compare the year of a naive datetime itself, since the bounds that Django compares have a time zone."""
    if isinstance(node.lhs.lhs.output_field, NaiveDateTimeField):
        return super(YearLookup, node).as_sql(compiler, connection)
    return node.as_sql(compiler, connection)

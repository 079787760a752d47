"""The types of expressions."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldError


def field_of(expression: Any) -> Any:
    """Return the field whose type the expression has, or None: for a foreign key that of the key."""
    try:
        field: Any = getattr(expression, "output_field", None)
        while hasattr(field, "target_field"):
            field = field.target_field
    except FieldError:  # no type, or a relation of several columns
        return None
    return field

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import models

if TYPE_CHECKING:
    from collections.abc import Sequence


class RowIdField(models.BigAutoField):
    """`_row_id`, the primary key that RisingWave adds to a table without one of its own.

    RisingWave generates the values and hides the column from `SELECT *`; queries can select it, filter by it
    and order by it. On the stand-in it is an identity column. An INSERT neither sets nor returns it, since
    RisingWave generates it after the statement: after save(), create() and bulk_create() the instance's pk is
    None.
    """

    description = "RisingWave's row id"
    # Leaves it out of RETURNING; AutoField has True.
    db_returning = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["primary_key"] = True
        kwargs["db_column"] = "_row_id"
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        for fixed in ("primary_key", "db_column", "editable"):
            del kwargs[fixed]
        return name, path, args, kwargs

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        """Return a string, which the driver writes as '5'.

        On RisingWave the column is a serial, which can't be compared with a number. An untyped literal is
        cast to serial (src/frontend/src/expr/type_inference/cast.rs at v3.0.3).
        """
        value = super().get_db_prep_value(value, connection, prepared)
        return None if value is None else str(value)


def has_generated_columns(model: type[models.Model]) -> bool:
    """Return whether the model's own table has generated columns."""
    return any(field.generated for field in model._meta.local_concrete_fields)


def validate_finite(value: float) -> None:
    """Raise ValidationError for NaN and infinities."""
    if not math.isfinite(value):
        raise ValidationError("Enter a finite number.", code="finite")


class FiniteFloatField(models.FloatField):
    """A FloatField that refuses NaN and infinities, from which a running sum never recovers.

    Saving and lookups raise ValueError, as FloatField does for values that aren't floats; full_clean() and
    forms raise ValidationError. On PostgreSQL a CHECK refuses them from any client. RisingWave has no CHECK,
    and accepts them from other clients.
    """

    default_validators = [validate_finite]  # noqa: RUF012 - Django's

    def get_prep_value(self, value: Any) -> Any:
        """Raise ValueError for NaN and infinities."""
        value = super().get_prep_value(value)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"Field '{self.name}' expected a finite number but got {value!r}.")
        return value

    def db_check(self, connection: Any) -> str | None:
        """Return a condition that refuses NaN too, which PostgreSQL sorts above infinity."""
        if connection.vendor == "postgresql" or (
            connection.vendor == "risingwave" and not connection.is_risingwave
        ):
            return f"\"{self.column}\" > '-Infinity' AND \"{self.column}\" < 'Infinity'"
        return super().db_check(connection)

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import models

if TYPE_CHECKING:
    from collections.abc import Sequence


class RowIdField(models.BigAutoField):
    """`_row_id`: what RisingWave gives each row of a table that has no primary key of its own.

    RisingWave adds the column, fills it and hides it from `SELECT *`; it can be selected, filtered and
    ordered by by name. On the stand-in it is an identity column. It is never part of an INSERT, and never
    returned by one, since RisingWave makes it after the statement is done: after save(), create() and
    bulk_create() the instance's pk is None.
    """

    description = "RisingWave's row id"
    # Not in RETURNING. (AutoField has True.)
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

        On RisingWave the column is a serial, and a serial is compared with serials only: an untyped literal
        becomes one, a number doesn't (src/frontend/src/expr/type_inference/cast.rs at v3.0.3).
        """
        value = super().get_db_prep_value(value, connection, prepared)
        return None if value is None else str(value)


def has_generated_columns(model: type[models.Model]) -> bool:
    """Tell whether columns of the model's own table are generated."""
    return any(field.generated for field in model._meta.local_concrete_fields)


def validate_finite(value: float) -> None:
    """Raise ValidationError for NaN and infinities."""
    if not math.isfinite(value):
        raise ValidationError("Enter a finite number.", code="finite")


class FiniteFloatField(models.FloatField):
    """A float that is a number: NaN and infinities are refused, for a sum never recovers from one.

    Refused with a ValueError when saved or looked up, as FloatField refuses what isn't a float, and by
    full_clean() and forms with a ValidationError. On PostgreSQL a CHECK refuses them too; RisingWave has no
    CHECK, and takes them from other clients.
    """

    default_validators = [validate_finite]  # noqa: RUF012 - Django's

    def get_prep_value(self, value: Any) -> Any:
        """Raise ValueError for NaN and infinities."""
        value = super().get_prep_value(value)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"Field '{self.name}' expected a finite number but got {value!r}.")
        return value

    def db_check(self, connection: Any) -> str | None:
        """Return a condition that NaN, which PostgreSQL sorts above infinity, fails as well."""
        if connection.vendor == "postgresql" or (
            connection.vendor == "risingwave" and not connection.is_risingwave
        ):
            return f"\"{self.column}\" > '-Infinity' AND \"{self.column}\" < 'Infinity'"
        return super().db_check(connection)

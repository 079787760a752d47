"""Fields for columns that Django's own fields don't describe."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django import forms
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import lookups
from django.utils import timezone

if TYPE_CHECKING:
    from collections.abc import Sequence

# The types of values that a field accepts and returns, which django-stubs sets for each use of a field.
_Set_contra = TypeVar("_Set_contra", contravariant=True)
_Get_co = TypeVar("_Get_co", covariant=True)

if TYPE_CHECKING:
    _BigAutoField = models.BigAutoField
    _DateTimeField = models.DateTimeField
    _FloatField = models.FloatField
else:
    # Only the stubs of Django's fields are generic.
    class _BigAutoField(models.BigAutoField, Generic[_Set_contra, _Get_co]):
        pass

    class _DateTimeField(models.DateTimeField, Generic[_Set_contra, _Get_co]):
        pass

    class _FloatField(models.FloatField, Generic[_Set_contra, _Get_co]):
        pass


#: The name of a hidden column: `SELECT *` and the changes of a table don't have it.
ROW_ID = "_row_id"


class RowIdField(_BigAutoField[_Set_contra, _Get_co]):
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
        kwargs["db_column"] = ROW_ID
        kwargs["editable"] = False
        # As Django sets it on any primary key of a model.
        kwargs["serialize"] = False
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        for fixed in ("primary_key", "db_column", "editable", "serialize"):
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


class DashedUUIDField(models.UUIDField):
    """A UUIDField whose column has UUIDs as PostgreSQL writes them, with dashes.

    Mirrors of tables in PostgreSQL have them: RisingWave reads the type uuid as text.
    """

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> str | None:  # noqa: FBT001, FBT002 - Django's signature
        """Return the UUID as text in lower case with dashes."""
        value = self.to_python(value)
        return None if value is None else str(value)


# Those of UUIDField take the dashes out of what they look for.
for lookup in (
    lookups.IExact,
    lookups.Contains,
    lookups.IContains,
    lookups.StartsWith,
    lookups.IStartsWith,
    lookups.EndsWith,
    lookups.IEndsWith,
):
    DashedUUIDField.register_lookup(lookup)


class FiniteFloatField(_FloatField[_Set_contra, _Get_co]):
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


def validate_naive(value: datetime) -> None:
    """Raise ValidationError for a datetime with a time zone."""
    if timezone.is_aware(value):
        raise ValidationError("Enter a date and time without a time zone.", code="naive")


class NaiveDateTimeFormField(forms.DateTimeField):
    """A form field for a datetime without a time zone, whatever the current one is."""

    default_validators = [validate_naive]  # noqa: RUF012 - Django's

    def to_python(self, value: Any) -> datetime | None:
        # The form field makes a value without an offset aware, in the current time zone.
        with timezone.override(UTC):
            entered = super().to_python(value)
        return entered.replace(tzinfo=None) if entered and entered.tzinfo is UTC else entered


class NaiveSplitDateTimeFormField(forms.SplitDateTimeField):
    """The same with one input for the date and one for the time, as in the admin."""

    def compress(self, data_list: Any) -> datetime | None:
        # The form field makes the value aware, in the current time zone.
        with timezone.override(UTC):
            entered = super().compress(data_list)
        return entered.replace(tzinfo=None) if entered else None


class NaiveDateTimeField(_DateTimeField[_Set_contra, _Get_co]):
    """A `timestamp without time zone`: a naive datetime, which no time zone changes.

    With DateTimeField, whose column is a `timestamp with time zone`, such a column would give and find the
    wrong hours wherever a time zone is set. Saving and lookups raise ValueError for datetimes with a time
    zone; full_clean() and forms raise ValidationError. The parts of a date and Trunc() are those of the value
    as it is stored: expressions/datetimes.py.
    """

    description = "Date and time without a time zone"
    default_validators = [validate_naive]  # noqa: RUF012 - Django's

    def db_type(self, connection: Any) -> str | None:
        return (
            "timestamp" if connection.vendor in ("postgresql", "risingwave") else super().db_type(connection)
        )

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        return [*super().check(**kwargs), *self._check_auto_now()]

    def _check_auto_now(self) -> list[CheckMessage]:
        if not (self.auto_now or self.auto_now_add):
            return []
        return [
            Error(
                "A NaiveDateTimeField has no time zone in which auto_now and auto_now_add could be the time.",
                hint="Use a DateTimeField, or default= with a function that returns a naive datetime.",
                obj=self,
                id="django_risingwave.E009",
            )
        ]

    def to_python(self, value: Any) -> Any:
        if isinstance(value, date) and not isinstance(value, datetime):
            # DateTimeField makes midnight aware.
            return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - naive on purpose
        return super().to_python(value)

    def from_db_value(self, value: datetime | None, expression: Any, connection: Any) -> datetime | None:
        """Remove the time zone that Trunc() has added."""
        return None if value is None else value.replace(tzinfo=None)

    def get_prep_value(self, value: Any) -> Any:
        """Raise ValueError for datetimes with a time zone."""
        # Not DateTimeField's method, which makes naive datetimes aware.
        value = self.to_python(models.Field.get_prep_value(self, value))
        if isinstance(value, datetime) and timezone.is_aware(value):
            raise ValueError(
                f"Field '{self.name}' expected a datetime without a time zone but got {value!r}. Convert it "
                "to the time zone that the column's values are in: "
                "value.astimezone(zone).replace(tzinfo=None)."
            )
        return value

    def formfield(self, **kwargs: Any) -> Any:
        # The admin passes a class of its own: ModelAdmin.formfield_overrides.
        if kwargs.get("form_class") is forms.SplitDateTimeField:
            kwargs["form_class"] = NaiveSplitDateTimeFormField
        return super().formfield(**{"form_class": NaiveDateTimeFormField, **kwargs})

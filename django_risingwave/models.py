"""Base classes of models whose tables or views are on RisingWave."""

from __future__ import annotations

from functools import wraps
from typing import Any, ClassVar, NoReturn, Self, TypeVar, cast

from django.db import NotSupportedError, models

from django_risingwave.queries import RisingWaveQuerySet

_Model_co = TypeVar("_Model_co", bound=models.Model, covariant=True)
_Method = TypeVar("_Method")


class ReadOnlyError(NotSupportedError):
    """A write to a read-only model."""

    def __init__(self, model: type[models.Model], operation: str) -> None:
        super().__init__(
            f"{model._meta.label} is read-only: {operation} would change rows that are computed from other "
            "tables. Write to those tables instead."
        )


def _refuse(method: _Method) -> _Method:
    """Return a method of the same name that raises ReadOnlyError.

    It keeps the attributes that templates and managers look at, alters_data and queryset_only.
    """
    original = cast("Any", method)

    @wraps(original)
    def refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        model = type(self) if isinstance(self, models.Model) else self.model
        raise ReadOnlyError(model, f"{original.__name__}()")

    return cast("_Method", refuse)


class RisingWaveModel(models.Model):
    """A model whose table is on RisingWave, where routers.RisingWaveRouter sends its queries."""

    class Meta:
        abstract = True
        # The router looks at this instead of the class, which migrations don't have.
        required_db_vendor = "risingwave"


class ReadOnlyQuerySet(RisingWaveQuerySet[_Model_co]):
    """A QuerySet that refuses every write with ReadOnlyError."""

    create = _refuse(models.QuerySet.create)
    acreate = _refuse(models.QuerySet.acreate)
    bulk_create = _refuse(models.QuerySet.bulk_create)
    abulk_create = _refuse(models.QuerySet.abulk_create)
    bulk_update = _refuse(models.QuerySet.bulk_update)
    abulk_update = _refuse(models.QuerySet.abulk_update)
    get_or_create = _refuse(models.QuerySet.get_or_create)
    aget_or_create = _refuse(models.QuerySet.aget_or_create)
    update_or_create = _refuse(models.QuerySet.update_or_create)
    aupdate_or_create = _refuse(models.QuerySet.aupdate_or_create)
    update = _refuse(models.QuerySet.update)
    aupdate = _refuse(models.QuerySet.aupdate)
    delete = _refuse(models.QuerySet.delete)
    adelete = _refuse(models.QuerySet.adelete)
    _insert = _refuse(models.QuerySet._insert)  # type: ignore[attr-defined]  # not in the stubs
    _update = _refuse(models.QuerySet._update)  # type: ignore[attr-defined]  # not in the stubs
    _raw_delete = _refuse(models.QuerySet._raw_delete)


ReadOnlyManager = models.Manager.from_queryset(ReadOnlyQuerySet, class_name="ReadOnlyManager")


class ReadOnlyModel(RisingWaveModel):
    """A model that refuses every write with ReadOnlyError.

    Writes that bypass the model and its manager, such as a cascade or those of a plain Manager on a subclass,
    are refused by compiler.py, which compiles all SQL of the alias.
    """

    objects: ClassVar[ReadOnlyManager[Self]] = ReadOnlyManager()

    class Meta(RisingWaveModel.Meta):
        abstract = True

    save = _refuse(models.Model.save)
    asave = _refuse(models.Model.asave)
    save_base = _refuse(models.Model.save_base)
    delete = _refuse(models.Model.delete)
    adelete = _refuse(models.Model.adelete)


class MaterializedView(ReadOnlyModel):
    """A model over a materialized view, which the migration operation CreateMaterializedView creates.

    Inherit its Meta: `class Meta(MaterializedView.Meta): db_table = "state_turnover"`. Declare one column
    primary_key=True, such as the grouping key. It may be NULL in one row.
    """

    class Meta(ReadOnlyModel.Meta):
        abstract = True
        managed = False

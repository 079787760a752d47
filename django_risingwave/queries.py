"""The QuerySet and the Manager of models on RisingWave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models, router
from django.db.models.sql import Query as DjangoQuery

if TYPE_CHECKING:
    from django.db.models import Model

_Model_co = TypeVar("_Model_co", bound=models.Model, covariant=True)


class Query(DjangoQuery):
    """A query that `str(queryset.query)` shows in the SQL of its model's database.

    Django shows the SQL of the alias "default", whatever database the query is sent to.
    """

    def sql_with_params(self) -> Any:
        """Return the SQL and its parameters."""
        model: Any = self.model
        return self.get_compiler(router.db_for_read(model)).as_sql()


class RisingWaveQuerySet(models.QuerySet[_Model_co]):
    """A QuerySet whose `query` is shown in RisingWave's SQL."""

    def __init__(
        self,
        model: type[Model] | None = None,
        query: DjangoQuery | None = None,
        using: str | None = None,
        hints: dict[str, Model] | None = None,
    ) -> None:
        super().__init__(model, query or Query(model), using, hints)


RisingWaveManager = models.Manager.from_queryset(RisingWaveQuerySet, class_name="RisingWaveManager")

"""The ranking that a row of DeclaredRanking declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_risingwave.models import MaterializedView
from django_risingwave.readable import Relation
from live import formats
from live.rankings import RelationRanking
from live.thresholds import Threshold

if TYPE_CHECKING:
    from live.models import DeclaredRanking


class Format(models.TextChoices):
    """How a measure is written."""

    NUMBER = "number", _("Whole number: 12,345")
    DECIMALS = "decimals", _("Two decimals: 12,345.67")
    MONEY = "money", _("Money: $12,345")
    PERCENT = "percent", _("Per cent: 36.8 is 36.8 %")
    RATIO = "ratio", _("Ratio: 0.368 is 36.8 %")


class Side(models.TextChoices):
    """On which side of its limit a row's value alerts."""

    ABOVE = "above", _("When a row is above")
    BELOW = "below", _("When a row is below")


@dataclass(frozen=True)
class Display:
    """Writes a measure."""

    format: str
    currency: str = ""

    def __call__(self, value: float) -> str:
        match self.format:
            case Format.DECIMALS:
                return formats.decimal(value, 2)
            case Format.MONEY:
                return formats.money(value, self.currency)
            case Format.PERCENT:
                return formats.percent(value)
            case Format.RATIO:
                return formats.percent(value * 100)
        return formats.quantity(value)


def ranking_of(row: DeclaredRanking) -> RelationRanking:
    """Return the ranking that a row declares."""
    return RelationRanking(
        slug=row.slug,
        title=row.title,
        model=MaterializedView,  # type: ignore[type-abstract]
        key=row.key,
        measure=row.measure,
        display=Display(row.format, row.currency),
        size=row.size,
        summed=row.summed,
        currency=row.currency,
        relation=Relation(row.schema, row.relation),
        ascending=row.ascending,
        thresholds=_thresholds(row),
        version=row.changed_at.isoformat() if row.changed_at else "",
    )


def _thresholds(row: DeclaredRanking) -> tuple[Threshold, ...]:
    """Return the threshold of a row, if it has one. Raises ImproperlyConfigured if the limit is too large."""
    if row.limit is None or not row.alert:
        return ()
    return (Threshold(above=row.limit) if row.alert == Side.ABOVE else Threshold(below=row.limit),)

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from django_risingwave.streaming.aggregates import Count
from django_risingwave.streaming.migration_operations import CreateSubscription, CreateTable
from django_risingwave.streaming.selectable_event import SelectableEvent
from django_risingwave.testing.servers import doubled
from tests.django_risingwave.streaming.migrating import VIEWS, kind_total, migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double


@pytest.fixture
def double(standin: DatabaseWrapper) -> Iterator[Double]:
    """The double of RisingWave, with two views and a subscription to each."""
    kind_rows = kind_total(name="kind_rows", measures={"rows": Count("amount")})
    migrate(standin, CreateTable("Event"), kind_total(), kind_rows)
    with doubled(standin.alias) as double:
        migrate(standin, *(CreateSubscription(f"{view}_changes", source=view) for view in VIEWS))
        assert double.subscriptions == {f"{view}_changes": view for view in VIEWS}
        yield double


@pytest.fixture
def wake() -> Iterator[SelectableEvent]:
    """The event that ends a listener's wait."""
    with closing(SelectableEvent()) as event:
        yield event

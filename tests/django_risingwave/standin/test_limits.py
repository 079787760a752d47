"""What the stand-in can't create is refused by name, with the limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from django.db import NotSupportedError

from django_risingwave.streaming.aggregates import Average, Count, Sum
from django_risingwave.streaming.definitions import Definition
from django_risingwave.streaming.migration_operations import CreateTable
from tests.django_risingwave.streaming.migrating import kind_total, migrate

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper


@pytest.mark.parametrize(("name", "length"), [("v" * 60, 60), ("v" * 55, 55), ("ü" * 28, 56)])
def test_a_name_too_long_for_its_triggers_is_refused(
    standin: DatabaseWrapper, name: str, length: int
) -> None:
    migrate(standin, CreateTable("Event"))
    with pytest.raises(NotSupportedError) as error:
        migrate(standin, kind_total(name=name))
    assert str(error.value) == (
        f"The name of materialized view {name!r} has {length} bytes, but the stand-in allows at most 54. "
        "Choose a shorter name, or use a RisingWave server."
    )
    assert standin.introspection.table_names(include_views=True) == ["events"]


def test_the_longest_name_is_created_and_dropped(standin: DatabaseWrapper) -> None:
    name = "v" * 54
    migrate(standin, CreateTable("Event"), kind_total(name=name))
    assert standin.introspection.table_names(include_views=True) == ["events", name]
    migrate(standin, kind_total(name=name), backwards=True)


def test_a_view_as_the_source_of_another_is_refused(standin: DatabaseWrapper) -> None:
    migrate(standin, CreateTable("Event"), kind_total())
    with pytest.raises(NotSupportedError) as error:
        migrate(standin, kind_total(name="kinds", source="kind_total", measures={"kinds": Count()}))
    assert str(error.value) == (
        "'kind_total', the source of materialized view 'kinds', is not a table, but the stand-in supports "
        "tables only. Choose a table, or use a RisingWave server."
    )


@pytest.mark.parametrize("measure", [Sum("weight"), Average("weight"), Sum("weight::real")])
def test_a_sum_of_floats_is_refused_with_the_cast_that_helps(
    standin: DatabaseWrapper, measure: Sum | Average
) -> None:
    migrate(standin, CreateTable("Event"))
    with pytest.raises(NotSupportedError, match=r"can't keep kind_total\.total exact") as error:
        migrate(standin, kind_total(measures={"lines": Count(), "total": measure}))
    cast = f'{type(measure).__name__}("({measure.expression})::numeric")'
    assert str(error.value).endswith(f"Cast to numeric: {cast}.")
    migrate(standin, kind_total(measures={"total": type(measure)(f"({measure.expression})::numeric")}))


@dataclass(frozen=True)
class Sink(Definition):
    kind = "SINK"

    def create_sql(self, quote_name: Callable[[str], str]) -> str:
        return f"CREATE SINK {quote_name(self.name)}"


@pytest.mark.parametrize("method", ["create_streaming_object", "delete_streaming_object"])
def test_a_kind_of_object_that_it_does_not_know_is_refused(standin: DatabaseWrapper, method: str) -> None:
    with standin.schema_editor() as editor, pytest.raises(NotSupportedError) as error:
        getattr(editor, method)(Sink("totals"))
    assert str(error.value) == ("The stand-in doesn't support SINK 'totals'. Use a RisingWave server.")

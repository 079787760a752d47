"""ORM queries give the same as on PostgreSQL; the exceptions are listed with their reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections

from tests.comparison.conftest import OURS, THEIRS
from tests.comparison.expected import expectations, expected_kind
from tests.comparison.outcomes import SAME, compare
from tests.comparison.queries import QUERIES

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.risingwave


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_gives_what_it_gives_on_postgresql(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    ours: Any = connections[OURS]
    comparison = compare(QUERIES[name], OURS, THEIRS)
    record_property("comparison", comparison.kind)
    if comparison.kind != SAME:
        record_property("here", str(comparison.ours)[:1_000])
        record_property("postgresql", str(comparison.theirs)[:1_000])
    server = "RisingWave" if ours.is_risingwave else "stand-in"
    assert comparison.kind == expected_kind(name, server), str(comparison)


def test_there_are_a_few_hundred_queries() -> None:
    assert len(QUERIES) >= 300


def test_each_expectation_concerns_a_query_and_gives_a_reason() -> None:
    for expectation in expectations():
        assert expectation.reason.endswith("."), expectation
        for pattern in expectation.queries:
            one = type(expectation)("", (pattern,), "")
            assert any(one.concerns(name, "RisingWave") for name in QUERIES), pattern

"""What a ranking is read from: its leading rows where there are any, or else its view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from django.apps import apps
from django.db import connections
from django.test.utils import CaptureQueriesContext

from live.leading import leading_model, totals_model
from live.rankings import RANKINGS
from live.sources import find_sources
from tests.conftest import BOTH

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

pytestmark = BOTH
RANKING = RANKINGS["states-by-turnover"]


def test_sources_are_found_by_one_query(transactional_db):
    connection = cast("DatabaseWrapper", connections["risingwave"])
    with CaptureQueriesContext(connection) as captured:
        sources = find_sources("risingwave", RANKINGS.values())
    assert len(captured) == 1
    assert list(sources) == list(RANKINGS)


def test_rows_are_read_without_a_cast_and_become_floats(orders):
    orders((1, 2, 10.0, "Ohio"), (2, None, 1.0, None), (3, 1, 0.5, "Utah"))
    source = find_sources("risingwave", [RANKING])[RANKING.slug]
    with CaptureQueriesContext(connections["risingwave"]) as captured:
        rows = source.rows()
    assert rows == (("Ohio", 20.0), ("Utah", 0.5), (None, None))
    assert {type(value) for _, value in rows} == {float, type(None)}
    (query,) = captured.captured_queries
    assert "::" not in query["sql"]


@pytest.mark.parametrize("ranking", RANKINGS.values(), ids=RANKINGS)
def test_the_models_of_leading_rows_have_the_fields_of_the_ranking_and_are_in_no_app(ranking):
    leading: Any = leading_model(ranking)
    for name in (ranking.key, ranking.measure):
        copy, original = leading._meta.get_field(name), ranking.model._meta.get_field(name)
        assert (type(copy), copy.column) == (type(original), original.column)
    for model in (leading, totals_model(ranking)):
        assert model not in apps.get_models(include_auto_created=True)
        assert not model._meta.managed
        assert model._meta.required_db_vendor == "risingwave"

from __future__ import annotations

import pytest

from live.feeding.sources import find_sources
from live.parameters import SIZES
from live.rankings import RANKINGS, UnknownRankingError, select
from tests.conftest import BOTH

pytestmark = BOTH


def top(slug: str) -> list[tuple[object, float | None]]:
    return list(find_sources("risingwave", [RANKINGS[slug]])[slug].rows())


def test_each_ranking_lists_its_largest_first(orders):
    orders((1, 2, 10.0, "Ohio"), (2, 9, 1.0, "Utah"), (1, 1, 5.5, "Utah"), (3, 4, 2.25, "Ohio"))
    assert top("states-by-turnover") == [("Ohio", 29.0), ("Utah", 14.5)]
    assert top("products-by-turnover") == [(1, 25.5), (2, 9.0), (3, 9.0)]
    assert top("products-by-quantity") == [(2, 9.0), (3, 4.0), (1, 3.0)]
    assert top("products-by-average-quantity") == [(2, 9.0), (3, 4.0), (1, 1.5)]


def test_each_ranking_has_the_rows_of_all_sizes_and_shows_five(orders):
    orders(*((item, item, 1.0, f"State {item}") for item in range(1, 60)))
    for slug, ranking in RANKINGS.items():
        assert len(top(slug)) == max(SIZES)
        assert ranking.size == 5


def test_ties_are_ordered_by_key_so_that_rows_do_not_flicker(orders):
    orders(*((item, 1, 1.0, state) for item, state in [(3, "C"), (1, "A"), (2, "B")]))
    assert [key for key, _ in top("products-by-quantity")] == [1, 2, 3]
    assert [key for key, _ in top("states-by-turnover")] == ["A", "B", "C"]


def test_null_is_a_key_of_its_own_and_rows_without_a_measure_come_last(orders):
    orders((None, 2, 3.0, None), (1, None, 3.0, "Ohio"), (2, 1, 1.0, "Utah"))
    assert top("states-by-turnover") == [(None, 6.0), ("Utah", 1.0), ("Ohio", None)]
    assert top("products-by-quantity") == [(None, 2.0), (2, 1.0), (1, None)]


def test_a_deleted_group_leaves_the_ranking(orders):
    from demo.shop.models import Order

    orders((1, 2, 3.0, "Ohio"), (2, 1, 1.0, "Utah"))
    Order.objects.filter(state="Ohio").delete()
    assert top("states-by-turnover") == [("Utah", 1.0)]


def test_floats_do_not_drift(orders):
    orders(*((1, 1, 0.1, "Ohio") for _ in range(10)))
    assert top("states-by-turnover") == [("Ohio", 1.0)]


def test_rankings_are_selected_by_slug_in_the_given_order_and_each_once():
    first, second = list(RANKINGS)[:2]
    assert [ranking.slug for ranking in select([second, first, second])] == [second, first]


def test_an_unknown_slug_is_refused_with_a_list_of_the_known_ones():
    with pytest.raises(
        UnknownRankingError, match=r"'nonsense'\. Choose from: states-by-turnover, products-by-average"
    ):
        select(["nonsense"])

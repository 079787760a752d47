"""Snapshots: their etags and their rows."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from live import formats, rendering
from live.cards import Card
from live.faults import Fault
from live.rankings import RANKINGS
from live.snapshots import NEW, Bar, Comparison, Snapshot, Totals, combined_etag, key_text
from live.windows import Window
from tests.live.schemas import faults

RANKING = RANKINGS["states-by-turnover"]


def snapshot(*values: tuple[object, float | None], moment: int = 1, totals: Totals | None = None) -> Snapshot:
    moment_of_change = datetime(2026, 1, moment, tzinfo=UTC)
    return Snapshot(RANKING, values, moment_of_change, source="PostgreSQL 18.4 (stand-in)", totals=totals)


def test_the_same_rows_have_the_same_etag_at_any_time():
    assert snapshot(("Ohio", 2.0)).etag() == snapshot(("Ohio", 2.0), moment=2).etag()


def test_other_rows_another_order_or_another_ranking_have_another_etag():
    one, other = ("Ohio", 2.0), ("Utah", 2.0)
    elsewhere = Snapshot(RANKINGS["products-by-turnover"], (one, other), snapshot().changed_at, source="")
    etags = {snapshot(one).etag(), snapshot(one, other).etag(), snapshot(other, one).etag(), elsewhere.etag()}
    assert len(etags) == 4


def test_totals_do_not_change_the_etag():
    assert snapshot(("Ohio", 2.0), totals=Totals(51, 9.0)).etag() == snapshot(("Ohio", 2.0)).etag()


@pytest.mark.parametrize(
    ("totals", "scope", "part", "total"),
    [
        (None, "top 5 states", "", ""),
        (Totals(50_000, None), "top 5 of 50,000 states", "", ""),
        (Totals(51, 0.0), "top 5 of 51 states", "", "$0"),
        (Totals(51, -4.0), "top 5 of 51 states", "", "-$4"),
        (Totals(51, 8.0), "top 5 of 51 states", "25.0\N{NO-BREAK SPACE}% of all", "$8"),
        (Totals(1, 2.0), "all 1", "100.0\N{NO-BREAK SPACE}% of all", "$2"),
        (Totals(0, None), "", "", ""),
    ],
)
def test_a_card_says_how_much_of_the_whole_it_shows(totals, scope, part, total):
    ranking = replace(RANKING, keys="states")
    card = Card(ranking, replace(snapshot(("Ohio", 2.0), ("Utah", None), totals=totals), ranking=ranking))
    assert (card.scope, card.part, card.total) == (scope, part, total)


def test_a_card_says_what_its_measure_counts():
    ranking = replace(RANKING, unit="units")
    assert Card(ranking, replace(snapshot(("Ohio", 2.0)), ranking=ranking)).scope.endswith(" · units")


def test_a_card_names_its_window():
    hour = RANKING.within(Window.HOUR)
    assert '<span class="window">1 h</span> · top 5 states' in rendering.card(
        replace(snapshot(("Ohio", 2.0)), ranking=hour)
    )
    assert '<span class="ever">All time · </span>top 5 states' in rendering.card(snapshot(("Ohio", 2.0)))


def test_a_row_says_how_many_places_it_has_moved_since_when():
    ranks = {key_text("Ohio"): 1, key_text("Utah"): 3, key_text("Iowa"): 3}
    moved = replace(
        snapshot(("Utah", 4.0), ("Ohio", 3.0), ("Iowa", 2.0), ("Texas", 1.0)),
        comparison=Comparison(datetime(2026, 1, 1, 13, 5, tzinfo=UTC), ranks),
    )
    html = rendering.card(moved)
    found = re.findall(
        r'class="move ?(\w*)"(?: role="img" aria-label="([^"]*)"| aria-hidden="true")?>([^<]*)<', html
    )
    assert found == [
        ("up", "up 2 places", "▲ 2"),
        ("down", "down 1 place", "▼ 1"),
        ("", "", "·"),
        ("new", "", "new"),
    ]
    assert 'since <time class="since" datetime="2026-01-01T13:05:00.000Z">13:05 UTC</time>' in html
    assert 'class="move' not in rendering.card(snapshot(("Ohio", 2.0)))


def test_a_card_whose_record_is_missing_says_so():
    gap = Comparison(datetime(2026, 1, 1, 13, 5, tzinfo=UTC), None)
    html = rendering.card(replace(snapshot(("Ohio", 2.0)), comparison=gap))
    assert re.search(r"no record of <time [^>]+>13:05 UTC</time> to compare with", html)
    assert 'class="move' not in html


def test_a_card_draws_a_negative_value_on_the_other_side_of_zero():
    values = snapshot(("Ohio", 60.0), ("Iowa", 0.0), ("Utah", -20.0), totals=Totals(3, 80.0))
    html = rendering.card(values)
    assert re.findall(r'<rect x="([\d.]+)" width="([\d.]+)" height="1"/>', html) == [
        ("20.0", "60.0"),
        ("20.0", "0.0"),
        ("0.0", "20.0"),
    ]
    assert html.count('<path d="M20.0 0v1"/>') == 3
    assert "<path" not in rendering.card(snapshot(("Ohio", 60.0)))


@pytest.mark.parametrize(("totals", "written"), [(None, None), (Totals(51, None), {"keys": 51, "sum": None})])
def test_programs_get_the_totals(totals, written):
    payload = rendering.known_payload(Card(RANKING, snapshot(("Ohio", 2.0), totals=totals)))
    assert payload["totals"] == written
    assert faults("api-ranking", payload) == []


def test_a_combined_etag_changes_with_each_of_its_snapshots():
    one, other = snapshot(("Ohio", 2.0)), snapshot(("Utah", 2.0))
    assert combined_etag([one, other], {}) != combined_etag([one, one], {})
    assert combined_etag([one, other], {}) == combined_etag([snapshot(("Ohio", 2.0)), other], {})


def test_a_combined_etag_changes_with_each_fault_but_not_with_its_time():
    def etag(**reasons: str) -> str:
        return combined_etag([], {slug: Fault(reason, datetime.now(UTC)) for slug, reason in reasons.items()})

    assert etag(one="is slow", other="is gone") == etag(other="is gone", one="is slow")
    assert len({etag(), etag(one="is slow"), etag(one="is gone"), etag(other="is gone")}) == 4


def test_rows_have_a_rank_a_name_a_formatted_value_and_a_share_of_the_sum():
    values = ("Ohio", 2000.0), (None, 500.0), ("Utah", None)
    first, second, third = snapshot(*values, totals=Totals(9, 5000.0)).rows()
    assert (first.rank, first.name, first.display, first.share) == (1, "Ohio", "$2,000", 40.0)
    assert (second.rank, second.name, second.display, second.share) == (2, "(no state)", "$500", 10.0)
    assert (third.display, third.share) == ("–", None)


def test_equal_values_share_a_rank():
    rows = snapshot(("Ohio", 2.0), ("Utah", 2.0), ("Iowa", 1.0)).rows()
    assert [row.rank for row in rows] == [1, 1, 3]


def test_a_bar_is_the_share_of_the_sum():
    rows = snapshot(("Ohio", 2.0), ("Utah", 1.0), totals=Totals(9, 8.0)).rows()
    assert [row.bar for row in rows] == [Bar(0, 25.0), Bar(0, 12.5)]


def test_without_a_sum_a_bar_is_the_part_of_the_largest_value():
    assert [row.bar for row in snapshot(("Ohio", 2.0), ("Utah", 1.0)).rows()] == [Bar(0, 100.0), Bar(0, 50.0)]


def test_bars_of_negative_values_are_left_of_zero():
    some = snapshot(("Ohio", 3.0), ("Utah", 0.0), ("Iowa", -1.0))
    assert some.zero() == 25.0
    assert [row.bar for row in some.rows()] == [Bar(25.0, 75.0), Bar(25.0, 0.0), Bar(0.0, 25.0)]
    assert snapshot().rows() == ()


def test_rows_tell_how_far_they_have_moved():
    compared = Comparison(datetime.now(UTC), {'"Utah"': 1, '"Ohio"': 3})
    rows = replace(snapshot(("Ohio", 3.0), ("Utah", 2.0), ("Iowa", 1.0)), comparison=compared).rows()
    assert [row.movement for row in rows] == [2, -1, NEW]
    assert [row.movement for row in snapshot(("Ohio", 3.0)).rows()] == [None]


def test_the_etag_is_of_the_rows_that_are_shown_and_of_the_moment_that_they_are_compared_with():
    one, other = snapshot(("Ohio", 3.0), ("Utah", 2.0)), snapshot(("Ohio", 3.0), ("Iowa", 2.0))
    assert one.etag(1) == other.etag(1)
    assert one.etag(2) != other.etag(2)
    compared = replace(one, comparison=Comparison(datetime.now(UTC), {}), rendered={})
    assert compared.etag(1) != one.etag(1)


def test_keys_of_any_type_can_be_sent_as_json():
    keys = [date(2026, 11, 23), Decimal("1.50"), UUID(int=7)]
    ranking = replace(RANKING, name=formats.key)  # the demo's own expects a state
    some = replace(snapshot(*((key, 1.0) for key in keys)), ranking=ranking)
    assert len(some.etag()) == 16
    rows = json.loads(rendering.update_message(some))["rows"]
    assert [row["key"] for row in rows] == ["2026-11-23", "1.50", "00000000-0000-0000-0000-000000000007"]

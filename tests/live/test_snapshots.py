"""Snapshots: their etags and their rows."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from live import formats, rendering
from live.faults import Fault
from live.rankings import RANKINGS
from live.snapshots import Snapshot, Totals, combined_etag
from tests.live.schemas import faults

RANKING = RANKINGS["states-by-turnover"]


def snapshot(*values: tuple[object, float | None], moment: int = 1, totals: Totals | None = None) -> Snapshot:
    moment_of_change = datetime(2026, 1, moment, tzinfo=UTC)
    return Snapshot(RANKING, values, moment_of_change, source="PostgreSQL 18.4 (stand-in)", totals=totals)


def test_the_same_rows_have_the_same_etag_at_any_time():
    assert snapshot(("Ohio", 2.0)).etag == snapshot(("Ohio", 2.0), moment=2).etag


def test_other_rows_another_order_or_another_ranking_have_another_etag():
    one, other = ("Ohio", 2.0), ("Utah", 2.0)
    elsewhere = Snapshot(RANKINGS["products-by-turnover"], (one, other), snapshot().changed_at, source="")
    etags = {snapshot(one).etag, snapshot(one, other).etag, snapshot(other, one).etag, elsewhere.etag}
    assert len(etags) == 4


def test_totals_do_not_change_the_etag():
    assert snapshot(("Ohio", 2.0), totals=Totals(51, 9.0)).etag == snapshot(("Ohio", 2.0)).etag


@pytest.mark.parametrize(
    ("totals", "text"),
    [
        (None, ""),
        (Totals(50_000, None), "2 of 50,000"),
        (Totals(51, 0.0), "2 of 51"),
        (Totals(51, -4.0), "2 of 51"),
        (Totals(51, 8.0), "2 of 51 (25 %)"),
    ],
)
def test_the_extent_says_how_much_of_the_whole_is_shown(totals, text):
    assert snapshot(("Ohio", 2.0), ("Utah", None), totals=totals).extent == text


def test_the_card_shows_the_extent_if_it_is_known():
    some = snapshot(("Ohio", 2.0), totals=Totals(51, 8.0))
    assert ">1 of 51 (25 %)</span>" in rendering.card(some)
    assert "extent" not in rendering.card(snapshot(("Ohio", 2.0)))


@pytest.mark.parametrize(("totals", "written"), [(None, None), (Totals(51, None), {"keys": 51, "sum": None})])
def test_programs_get_the_totals(totals, written):
    payload = rendering.known_payload(RANKING, snapshot(("Ohio", 2.0), totals=totals), None)
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


def test_rows_have_a_rank_a_name_a_formatted_value_and_a_share_of_the_largest():
    first, second, third = snapshot(("Ohio", 2000.0), (None, 500.0), ("Utah", None)).rows
    assert (first.rank, first.name, first.display, first.share) == (1, "Ohio", "$2,000", 100.0)
    assert (second.rank, second.name, second.display, second.share) == (2, "(no state)", "$500", 25.0)
    assert (third.display, third.share) == ("–", 0)


def test_a_share_is_0_for_values_of_0_and_less():
    assert [row.share for row in snapshot(("Ohio", 0.0), ("Utah", -3.0)).rows] == [0, 0]
    assert snapshot().rows == ()


def test_keys_of_any_type_can_be_sent_as_json():
    keys = [date(2026, 11, 23), Decimal("1.50"), UUID(int=7)]
    ranking = replace(RANKING, name=formats.key)  # the demo's own expects a state
    some = replace(snapshot(*((key, 1.0) for key in keys)), ranking=ranking)
    assert len(some.etag) == 16
    rows = json.loads(rendering.update_message(some))["rows"]
    assert [row["key"] for row in rows] == ["2026-11-23", "1.50", "00000000-0000-0000-0000-000000000007"]

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from live import frames
from live.rankings import RANKINGS
from live.snapshots import Snapshot, combined_etag

RANKING = RANKINGS["states-by-turnover"]


def snapshot(*values: tuple[object, float | None], moment: int = 1) -> Snapshot:
    return Snapshot(
        RANKING, values, datetime(2026, 1, moment, tzinfo=UTC), source="PostgreSQL 18.4 (stand-in)"
    )


def test_the_same_rows_have_the_same_etag_whenever_they_were_read():
    assert snapshot(("Ohio", 2.0)).etag == snapshot(("Ohio", 2.0), moment=2).etag


def test_other_rows_another_order_and_another_ranking_have_other_etags():
    one, other = ("Ohio", 2.0), ("Utah", 2.0)
    elsewhere = Snapshot(RANKINGS["products-by-turnover"], (one, other), snapshot().changed_at, source="")
    etags = {snapshot(one).etag, snapshot(one, other).etag, snapshot(other, one).etag, elsewhere.etag}
    assert len(etags) == 4


def test_a_combined_etag_changes_with_any_of_its_snapshots():
    one, other = snapshot(("Ohio", 2.0)), snapshot(("Utah", 2.0))
    assert combined_etag([one, other]) != combined_etag([one, one])
    assert combined_etag([one, other]) == combined_etag([snapshot(("Ohio", 2.0)), other])


def test_rows_are_ranked_named_formatted_and_measured_against_the_first():
    first, second, third = snapshot(("Ohio", 2000.0), (None, 500.0), ("Utah", None)).rows
    assert (first.rank, first.name, first.display, first.share) == (1, "Ohio", "$2,000", 100.0)
    assert (second.rank, second.name, second.display, second.share) == (2, "(no state)", "$500", 25.0)
    assert (third.display, third.share) == ("–", 0)


def test_a_bar_is_never_negative_and_never_divides_by_zero():
    assert [row.share for row in snapshot(("Ohio", 0.0), ("Utah", -3.0)).rows] == [0, 0]
    assert snapshot().rows == ()


def test_keys_of_any_kind_can_be_told_to_programs():
    keys = [date(2026, 11, 23), Decimal("1.50"), UUID(int=7)]
    some = snapshot(*((key, 1.0) for key in keys))
    assert len(some.etag) == 16
    rows = json.loads(frames.update(some))["rows"]
    assert [row["key"] for row in rows] == ["2026-11-23", "1.50", "00000000-0000-0000-0000-000000000007"]

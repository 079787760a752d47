"""NaN, infinity and values that no float can hold: RisingWave has no CHECK that could keep them out."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import connections

from live import rendering
from live.cards import Card
from live.feeding.sources import Source, find_sources, finite
from live.keys import KeyDetails
from live.leading import LEADING_ROWS
from live.opened.details import find_details
from live.snapshots import Snapshot, Totals
from tests.conftest import BOTH
from tests.live.hubs import STATES
from tests.live.schemas import faults

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = BOTH


@pytest.mark.parametrize(
    "value",
    [
        None,
        math.nan,
        math.inf,
        -math.inf,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("2e308"),
        10**400,
    ],
)
def test_what_is_not_finite_is_no_value(value):
    assert finite(value) is None


@pytest.mark.parametrize("value", [0, -1.5, Decimal("2.5"), 1e308, 10**300])
def test_what_is_finite_is_a_value(value):
    assert finite(value) == float(value)


@contextmanager
def leading(*rows: str) -> Iterator[None]:
    """Let the states have these leading rows, in SQL, and NaN as their total."""
    names = ("states_by_turnover_leading", "states_by_turnover_totals")
    with connections["risingwave"].connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"ALTER TABLE {name} RENAME TO {name}_away")
        try:
            values = ", ".join(rows)
            cursor.execute(
                f"CREATE VIEW {names[0]} AS SELECT * FROM (VALUES {values}) AS rows (state, turnover)"
                f" ORDER BY turnover DESC NULLS LAST, state LIMIT {LEADING_ROWS}"
            )
            cursor.execute(f"CREATE VIEW {names[1]} AS SELECT 9::bigint AS keys, 'NaN'::numeric AS total")
            yield
        finally:
            for name in names:
                cursor.execute(f"DROP VIEW IF EXISTS {name}")
                cursor.execute(f"ALTER TABLE {name}_away RENAME TO {name}")


@pytest.fixture
def source(orders) -> Source:
    return find_sources("risingwave", [STATES])[STATES.slug]


@pytest.mark.parametrize("kind", ["numeric", "double precision"])
def test_values_that_are_not_finite_come_last_and_hide_no_other(source, kind):
    bad = [f"('Bad {n}', '{value}'::{kind})" for n, value in enumerate(["NaN", "Infinity", "NaN", "NaN"])]
    good = [f"('Good {n}', {n}::{kind})" for n in range(1, 4)]
    with leading(*bad, *good, f"('Low', '-Infinity'::{kind})", f"('Null', NULL::{kind})"):
        rows = source.rows()
    assert rows[:3] == (("Good 3", 3.0), ("Good 2", 2.0), ("Good 1", 1.0))
    assert [value for _, value in rows[3:]] == [None] * 6


def test_a_sum_that_no_float_can_hold_is_no_value(source):
    with leading("('Huge', 1e308::numeric * 2)", "('Ohio', 1::numeric)"):
        assert source.rows() == (("Ohio", 1.0), ("Huge", None))
        assert source.totals() == Totals(keys=9, sum=None)


def test_the_card_and_the_json_show_them_as_no_value(source):
    with leading("('Bad', 'NaN'::numeric)", "('Ohio', 1::numeric)"):
        values, totals = source.rows(), source.totals()
    snapshot = Snapshot(STATES, values, datetime.now(UTC), source="RisingWave", totals=totals)
    snapshot.check()
    text = json.dumps(rendering.known_payload(Card(STATES, snapshot)), allow_nan=False)
    assert faults("api-ranking", json.loads(text)) == []
    assert [(row["value"], row["display"]) for row in json.loads(text)["rows"]] == [(1.0, "$1"), (None, "–")]
    assert "NaN" not in rendering.update_message(snapshot)
    assert "nan" not in rendering.card(snapshot).lower()


def test_the_share_of_sums_that_overflow_is_left_out():
    values = (("One", 1.5e308), ("Two", 1.5e308))
    snapshot = Snapshot(STATES, values, datetime.now(UTC), source="", totals=Totals(2, 1.0))
    snapshot.check()
    card = Card(STATES, snapshot)
    assert (card.scope, card.part) == ("all 2", "")


def test_a_share_that_no_float_can_hold_is_no_share():
    values = (("One", 1e308), ("Two", -1e308))
    snapshot = Snapshot(STATES, values, datetime.now(UTC), source="", totals=Totals(2, 0.001))
    assert [row.share for row in snapshot.rows()] == [None, None]
    json.dumps(rendering.payload(snapshot), allow_nan=False)


async def test_the_table_of_an_app_shows_them_as_no_value(orders):
    rows = [(Decimal("NaN"),), (Decimal("sNaN"),), (math.inf,), (Decimal("2.50"),), ("NaN",)]
    ranking = replace(STATES, details=lambda _: KeyDetails("Prices", ["Price"], rows))
    details = await find_details(ranking, "Ohio")
    assert details is not None
    assert [row[0].value for row in details.rows] == [None, None, None, Decimal("2.50"), "NaN"]


def test_a_key_that_is_not_finite_is_text(source, monkeypatch):
    monkeypatch.setattr(Source, "_pairs", lambda self, rows: [(math.nan, 1.0), (math.inf, 0.5)])
    snapshot = Snapshot(replace(STATES, name=str), source.rows(), datetime.now(UTC), source="RisingWave")
    assert [row["key"] for row in json.loads(rendering.update_message(snapshot))["rows"]] == ["nan", "inf"]

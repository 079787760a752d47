"""Changed views on a real RisingWave: `pytest -m risingwave` with its URL in RISINGWAVE_URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import NotSupportedError, ProgrammingError

from django_risingwave.streaming.rebuilding.plan import is_temporary_name
from django_risingwave.streaming.run_sql import RunRisingWaveSQL
from django_risingwave.streaming.subscriptions import SubscriptionCursor
from django_risingwave.streaming.views import ViewDefinition
from tests.django_risingwave.streaming.migrating import migrate
from tests.django_risingwave.streaming.rebuilt import NEW, OLD, catalog, create_views, interrupt, replace, run
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.risingwave

ROWS = {
    "totals": [(1, 20)],
    "leaders": [(1, 20)],
    "summary": [(1, 20)],
    "pairs": [(1, 20, "'FROM totals AS x'")],
    "plain": [(1,)],
}
NAMES = {*ROWS, "t", "by_k", "by_total", "totals_changes", "leader_changes"}


@pytest.fixture
def views(risingwave: DatabaseWrapper) -> DatabaseWrapper:
    create_views(risingwave)
    return risingwave


def assert_rebuilt(views: DatabaseWrapper) -> None:
    after = catalog(views)
    assert after["rows"] == ROWS
    assert {name for name, *_ in after["objects"]} == NAMES  # type: ignore[attr-defined]


def test_a_changed_view_and_all_that_stands_on_it_have_the_new_rows(views: DatabaseWrapper) -> None:
    replace(views)
    assert_rebuilt(views)
    with SubscriptionCursor("leader_changes", using="risingwave") as cursor:
        cursor.flush()
        run(views, "INSERT INTO t VALUES (1, 1)", "FLUSH")
        changes = cursor.fetch(timeout=DEADLINE_SECONDS)
    assert [(change.op, change.row["total"]) for change in changes] == [("Delete", 20), ("Insert", 30)]
    assert run(views, "SELECT total FROM summary") == [(30,)]


@pytest.mark.parametrize("statement", [1, 3, 6, 12, 20])
def test_an_interrupted_change_can_be_run_again(views: DatabaseWrapper, statement: int) -> None:
    assert interrupt(views, (OLD, NEW), statement)
    replace(views)
    assert_rebuilt(views)


def test_a_dependent_that_lacks_a_column_is_named_before_anything_changes(views: DatabaseWrapper) -> None:
    before = catalog(views)
    with pytest.raises(ProgrammingError, match='"leaders", which reads "totals", can\'t be built again'):
        replace(views, (OLD, ViewDefinition("totals", "SELECT k, sum(v) AS other FROM t GROUP BY k")))
    assert catalog(views) == before


def test_a_build_that_fails_leaves_all_views_as_they_were(views: DatabaseWrapper) -> None:
    """RisingWave refuses a window function over all rows in a materialized view, but not in a query."""
    bad = "SELECT k, row_number() OVER (ORDER BY k) AS total FROM t"
    before = catalog(views)["rows"]
    with pytest.raises(NotSupportedError, match="All views are as they were"):
        replace(views, (OLD, ViewDefinition("totals", bad)))
    after = catalog(views)
    assert after["rows"] == before
    assert not any(is_temporary_name(name) for name, *_ in after["objects"])  # type: ignore[attr-defined]


def test_a_sink_is_named_before_anything_changes(views: DatabaseWrapper) -> None:
    run(views, """CREATE SINK "out" FROM "summary" WITH (connector = 'blackhole')""")
    with pytest.raises(NotSupportedError, match='sink "out"'):
        replace(views)
    replace(views, cascade=True)
    assert_rebuilt(views)


def test_a_view_is_renamed_and_what_reads_it_goes_on(views: DatabaseWrapper) -> None:
    with views.schema_editor() as editor:
        editor.rename_streaming_object(OLD, "sums")
    assert run(views, "SELECT * FROM sums") == run(views, "SELECT * FROM leaders")


def test_a_view_in_use_is_not_dropped_and_its_users_are_named(views: DatabaseWrapper) -> None:
    with (
        views.schema_editor() as editor,
        pytest.raises(NotSupportedError, match=r"materialized view public\.leaders"),
    ):
        editor.delete_streaming_object(OLD)


def test_sql_that_no_operation_sends_is_run_and_reversed(views: DatabaseWrapper) -> None:
    operation = RunRisingWaveSQL(
        ["CREATE MATERIALIZED VIEW IF NOT EXISTS twice AS SELECT k, total * 2 AS total FROM totals", "FLUSH"],
        "DROP MATERIALIZED VIEW twice",
    )
    migrate(views, operation, operation)
    assert run(views, "SELECT * FROM twice") == [(1, 4)]
    migrate(views, operation, backwards=True)

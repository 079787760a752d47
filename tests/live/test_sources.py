"""What a ranking is read from: its leading rows where there are any, or else its view."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from django.apps import apps
from django.core.checks import ERROR
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections
from django.db.migrations.state import ProjectState
from django.test.utils import CaptureQueriesContext

from demo.shop.models import ItemTurnover
from live import database_checks
from live.database_checks import _operations, check_history, check_leading_rows, check_reads
from live.feeding import sources
from live.feeding.sources import find_sources
from live.leading import advised_index, leading_model, leading_name, totals_model
from live.rankings import RANKINGS
from live.snapshots import Totals
from live.windows import Window
from tests.conftest import BOTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.checks import CheckMessage

    from django_risingwave.base import DatabaseWrapper
    from live.feeding.sources import Source
    from live.migration_operations import CreateLeadingRows
    from live.rankings import Ranking

pytestmark = BOTH
RANKING = RANKINGS["states-by-turnover"]


@pytest.fixture
def without_leading_rows(transactional_db) -> Iterator[CreateLeadingRows]:
    """A database in which a ranking has no leading rows."""
    operation = _operations()[RANKING.slug]
    run(operation, backwards=True)
    yield operation
    run(operation)


def run(operation: CreateLeadingRows, *, backwards: bool = False) -> None:
    with connections["risingwave"].schema_editor() as editor:
        method = operation.database_backwards if backwards else operation.database_forwards
        method("demo_shop", editor, ProjectState(), ProjectState())


def source(ranking: Ranking = RANKING) -> Source:
    return find_sources("risingwave", [ranking])[ranking.slug]


def test_sources_are_found_by_two_queries(transactional_db):
    connection = cast("DatabaseWrapper", connections["risingwave"])
    with CaptureQueriesContext(connection) as captured:
        sources = find_sources("risingwave", RANKINGS.values())
    assert len(captured) == 2
    assert {slug: source.relation for slug, source in sources.items()} == {
        slug: f"{slug.replace('-', '_')}_leading" for slug in RANKINGS
    }


def test_rows_are_read_without_a_cast_and_become_floats(orders):
    orders((1, 2, 10.0, "Ohio"), (2, None, 1.0, None), (3, 1, 0.5, "Utah"))
    with CaptureQueriesContext(connections["risingwave"]) as captured:
        rows = source().rows()
    assert rows == (("Ohio", 20.0), ("Utah", 0.5), (None, None))
    assert {type(value) for _, value in rows} == {float, type(None)}
    query = captured.captured_queries[-1]["sql"]
    assert query == (
        'SELECT "states_by_turnover_leading"."state", "states_by_turnover_leading"."turnover"'
        ' FROM "states_by_turnover_leading"'
        ' ORDER BY "states_by_turnover_leading"."turnover" DESC NULLS LAST,'
        ' "states_by_turnover_leading"."state" ASC NULLS LAST LIMIT 50'
    )


def test_totals_are_the_number_of_keys_and_the_sum_of_the_measure(orders):
    assert source().totals() == Totals(keys=0, sum=None)
    orders(*((item, 2, 1.25, f"State {item}") for item in range(7)), (1, None, 1.0, None))
    assert source().totals() == Totals(keys=8, sum=17.5)
    assert source(RANKINGS["products-by-average-quantity"]).totals() == Totals(keys=7, sum=None)


def test_without_leading_rows_the_view_itself_is_read(without_leading_rows, orders):
    orders((1, 2, 10.0, "Ohio"))
    found = source()
    assert found.relation == "state_turnover"
    assert found.rows() == (("Ohio", 20.0),)
    assert found.totals() is None


@pytest.fixture
def reader(transactional_db) -> Iterator[None]:
    """A session as a user who may read the views, but not the leading rows and totals of one ranking."""
    wrapper = connections["risingwave"]
    # The driver's cursor: roles like this one are PostgreSQL's.
    with wrapper.connection.cursor() as cursor:
        cursor.execute("CREATE ROLE reader")
        cursor.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        cursor.execute("REVOKE SELECT ON states_by_turnover_leading, states_by_turnover_totals FROM reader")
        cursor.execute("SET ROLE reader")
        yield
        cursor.execute("RESET ROLE")
        cursor.execute("DROP OWNED BY reader")
        cursor.execute("DROP ROLE reader")


def test_the_view_itself_is_read_by_a_user_who_may_not_read_the_leading_rows(
    orders, reader, caplog, monkeypatch
):
    monkeypatch.setattr(sources, "_advised", set())
    caplog.set_level("INFO", logger="live.feeding.sources")
    found = find_sources("risingwave", RANKINGS.values())
    assert found[RANKING.slug].relation == "state_turnover"
    assert found[RANKING.slug].rows() == ()
    assert found[RANKING.slug].totals() is None
    assert found["products-by-turnover"].relation == "products_by_turnover_leading"
    (record,) = caplog.records
    assert record.getMessage() == (
        "ranking states-by-turnover: is read from the whole view state_turnover, because this user may not "
        "read states_by_turnover_leading. Grant the user SELECT on it and on states_by_turnover_totals"
    )


def test_the_log_says_once_what_is_read_from_a_whole_view(without_leading_rows, caplog, monkeypatch):
    monkeypatch.setattr(sources, "_advised", set())
    caplog.set_level("INFO", logger="live.feeding.sources")
    for _ in range(2):
        find_sources("risingwave", RANKINGS.values())
    (record,) = caplog.records
    assert record.getMessage() == (
        "ranking states-by-turnover: is read from the whole view state_turnover, because "
        "states_by_turnover_leading doesn't exist. Add the operation CreateLeadingRows to a migration"
    )


def test_on_risingwave_the_log_has_the_whole_statement_of_an_index(disguise, caplog, monkeypatch):
    monkeypatch.setattr(sources, "_advised", set())
    caplog.set_level("INFO", logger="live.feeding.sources")
    find_sources("risingwave", [RANKING])
    assert (
        caplog.records[0]
        .getMessage()
        .endswith(
            'or create an index: CREATE INDEX "state_turnover_by_turnover" ON "state_turnover"'
            ' ("turnover" DESC NULLS LAST, "state" ASC NULLS LAST) INCLUDE ("state", "turnover")'
        )
    )


def messages(databases: list[str] | None) -> list[CheckMessage]:
    return check_reads(databases=databases)


def test_a_check_of_the_database_says_what_a_read_of_a_whole_view_costs(
    without_leading_rows, orders, monkeypatch
):
    orders((1, 2, 10.0, "Ohio"), (1, 2, 10.0, "Utah"))
    assert messages(["default", "risingwave"]) == []  # A migration creates them.
    monkeypatch.setattr(database_checks, "_operations", dict)
    (warning,) = messages(["default", "risingwave"])
    assert warning.id == "live.W003"
    assert "Each read of ranking states-by-turnover scans all 2 rows of state_turnover" in warning.msg
    assert warning.hint == (
        "Add CreateLeadingRows('states-by-turnover', ...) of live.migration_operations to a migration."
    )
    assert messages(None) == messages(["default"]) == []


def test_the_check_command_asks_the_database_only_if_told_to(without_leading_rows, monkeypatch):
    monkeypatch.setattr(database_checks, "_operations", dict)
    call_command("check", fail_level="WARNING")
    with pytest.raises(
        SystemCheckError, match=r"\(live\.W003\) Each read of ranking states-by-turnover scans"
    ):
        call_command("check", databases=["risingwave"], fail_level="WARNING")


def test_on_risingwave_the_check_advises_an_index_until_there_is_one(disguise, monkeypatch):
    monkeypatch.setattr(database_checks, "_operations", dict)
    with disguise.connection.cursor() as cursor:
        cursor.execute("CREATE MATERIALIZED VIEW state_turnover AS SELECT 'Ohio' AS state, 1.5 AS turnover")
    (warning,) = messages(["risingwave"])
    index = advised_index(RANKING, disguise.connection.ops.quote_name)
    assert str(warning.hint).endswith(f"create an index: {index}")
    with disguise.connection.cursor() as cursor:
        # PostgreSQL's INCLUDE has no columns of the key.
        cursor.execute(index.partition(" INCLUDE ")[0])
    assert messages(["risingwave"]) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"measure": "state", "key": "turnover"}, "key is 'state' there and 'turnover' in the ranking"),
        (
            {"model": ItemTurnover, "key": "itemid", "windows": {}},
            "view is 'state_turnover' there and 'item_turnover' in",
        ),
        ({"summed": False}, "summed is True there and False in the ranking"),
        ({"size": 51}, "rows is 50, and the ranking shows 51"),
        (
            {"windows": {Window.HOUR: RANKING.windows[Window.TODAY]}},
            "view is 'state_turnover__1h' there and 'state_turnover__today' in the ranking",
        ),
    ],
)
def test_leading_rows_that_differ_from_their_ranking_are_an_error(monkeypatch, change, text):
    assert check_leading_rows() == []
    monkeypatch.setitem(RANKINGS, RANKING.slug, replace(RANKING, **change))
    found = check_leading_rows()
    assert {message.id for message in found} == {"live.E005"}
    assert any(text in message.msg for message in found)


def test_each_window_that_is_read_by_a_scan_is_told(orders, monkeypatch):
    monkeypatch.setattr(database_checks, "_operations", dict)
    monkeypatch.setattr(database_checks, "leading_name", lambda name: f"no_{leading_name(name)}")
    texts = [message.msg for message in messages(["risingwave"])]
    names = {"states-by-turnover": "state_turnover", "states-by-turnover--1h": "state_turnover__1h"}
    for name, view in names.items():
        start = f"Each read of ranking {name} scans all 0 rows of {view}, because"
        assert any(text.startswith(start) for text in texts), texts


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


def test_the_check_of_databases_that_cannot_be_asked_says_so(db, settings):
    settings.LIVE_HISTORY = True

    def check() -> list[CheckMessage]:
        for alias in ("default", "risingwave"):
            # The connection is this thread's own.
            connections[alias].settings_dict = {**connections[alias].settings_dict, "PORT": "1"}
        return [*check_reads(databases=["risingwave"]), *check_history(databases=["default"])]

    with ThreadPoolExecutor(1) as thread:
        (error,) = thread.submit(check).result()
    assert (error.level, error.id) == (ERROR, "live.E007")
    assert error.msg.startswith("DATABASES['default'] can't be read (conn")

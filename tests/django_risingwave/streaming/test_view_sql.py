"""The SQL of a view, as the server has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from django_risingwave.streaming.aggregates import Count
from django_risingwave.streaming.definitions import MaterializedViewDefinition
from django_risingwave.streaming.inspecting.view_sql import view_sql

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise


@pytest.fixture
def views(standin: DatabaseWrapper) -> DatabaseWrapper:
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE events (kind varchar)")
        cursor.execute('CREATE VIEW "Kinds of events" AS SELECT DISTINCT kind FROM events')
        cursor.execute("CREATE SCHEMA other")
        cursor.execute("CREATE MATERIALIZED VIEW other.counted AS SELECT count(*) AS number FROM events")
    kinds = MaterializedViewDefinition("kinds", "events", ["kind"], {"number": Count()})
    with standin.schema_editor() as editor:
        editor.create_streaming_object(kinds)
    return standin


def test_a_view_of_the_standin_has_the_sql_that_risingwave_would_have(views: DatabaseWrapper) -> None:
    sql = view_sql(views, "kinds")
    assert sql is not None
    assert sql.startswith("CREATE MATERIALIZED VIEW")
    assert "GROUP BY" in sql


def test_the_sql_of_a_view_that_others_made_is_postgresqls(views: DatabaseWrapper) -> None:
    sql = view_sql(views, "Kinds of events")
    assert sql is not None
    assert sql.startswith('CREATE VIEW "Kinds of events" AS ')
    assert view_sql(views, "counted") is None
    assert "count(*)" in (view_sql(views, "counted", schema="other") or "")


def test_only_views_have_sql(both_servers: Disguise | None, standin: DatabaseWrapper) -> None:
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE clicks (password varchar DEFAULT 's3cret')")
        cursor.execute("CREATE VIEW seen AS SELECT password FROM clicks")
    assert view_sql(standin, "clicks") is None
    assert view_sql(standin, "nothing'; DROP TABLE clicks; --") is None
    sql = view_sql(standin, "seen")
    assert sql is not None
    assert "SELECT" in sql
    assert "s3cret" not in sql
    assert view_sql(standin, "seen", schema="elsewhere") is None


@pytest.mark.risingwave
def test_risingwave_has_the_sql_of_its_views_and_of_no_source(risingwave: DatabaseWrapper) -> None:
    with risingwave.cursor() as cursor:
        cursor.execute("CREATE TABLE events (kind varchar)")
        cursor.execute("CREATE MATERIALIZED VIEW kinds AS SELECT kind, count(*) FROM events GROUP BY kind")
        cursor.execute("CREATE SOURCE ticks (at int) WITH (connector = 'datagen') FORMAT PLAIN ENCODE JSON")
    sql = view_sql(risingwave, "kinds")
    assert sql is not None
    assert sql.startswith("CREATE MATERIALIZED VIEW")
    assert "GROUP BY kind" in sql
    assert view_sql(risingwave, "kinds", schema="public") == sql
    assert view_sql(risingwave, "events") is None
    assert view_sql(risingwave, "ticks") is None

"""On the stand-in, a changed view is replaced with all that stands on it, and is never missing."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace as replace_field
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, NotSupportedError

from django_risingwave.standin.functions import CHANNEL, DEFINITIONS
from django_risingwave.streaming.aggregates import Sum
from django_risingwave.streaming.definitions import (
    LeadingRowsDefinition,
    MaterializedViewDefinition,
    TotalsDefinition,
)
from django_risingwave.streaming.views import ViewDefinition
from tests.django_risingwave.standin.sales import create_sales, notified, objects

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_risingwave.base import DatabaseWrapper

BY_STATE = MaterializedViewDefinition("by_state", "sales", ["state"], {"total": Sum("qty")})
LARGE = ViewDefinition("large", "SELECT state, total FROM by_state WHERE total > 1")
LEADING = LeadingRowsDefinition("first_rows", "by_state", "state", "total", rows=2)
TOTALS = TotalsDefinition("totals", "by_state", "total")
LARGEST = ViewDefinition(
    "largest", "SELECT max(total) AS total FROM large JOIN first_rows USING (state, total)"
)
ALL = (BY_STATE, LARGE, LEADING, TOTALS, LARGEST)

PRICES = ViewDefinition(
    "by_state", "SELECT state, sum(qty * 10) AS total, count(*) AS n FROM sales GROUP BY 1"
)
DISTINCT = ViewDefinition("by_state", "SELECT state, sum(DISTINCT qty) AS total FROM sales GROUP BY state")


def replace(standin: DatabaseWrapper, *changes: tuple[Any, Any]) -> None:
    assert standin.standin is not None
    with standin.schema_editor() as editor:
        standin.standin.replace(changes, editor)


def rows(cursor: Any, view: str) -> list[Any]:
    cursor.execute(f"SELECT * FROM {view} ORDER BY 1 NULLS LAST")
    found: list[Any] = cursor.fetchall()
    return found


@pytest.mark.parametrize("new", [PRICES, DISTINCT], ids=["summary", "plain view"])
def test_what_stands_on_a_changed_view_reads_the_new_one_and_goes_on(
    standin: DatabaseWrapper, new: ViewDefinition, connect: Callable[[], Any]
) -> None:
    create_sales(standin, *ALL)
    with standin.cursor() as cursor:
        before = objects(cursor)
        replace(standin, (BY_STATE, new))
        factor = 10 if new is PRICES else 1
        cursor.execute("INSERT INTO sales (state, qty) VALUES ('CA', 3), ('CA', 3)")
        total = 6 * factor if new is PRICES else 3
        assert rows(cursor, "large") == [("CA", total), ("NY", 2 * factor)]
        assert rows(cursor, "first_rows") == [("CA", total), ("NY", 2 * factor)]
        assert rows(cursor, "totals") == [(3, total + 2 * factor)]
        assert rows(cursor, "largest") == [(total,)]
        listener = connect()
        listener.autocommit = True
        listener.cursor().execute(f"LISTEN {CHANNEL}")
        cursor.execute("INSERT INTO sales (state, qty) VALUES ('TX', 4)")
        assert sorted(notified(listener, cursor)) == ["by_state", "first_rows", "large", "largest", "totals"]
        # Back again: nothing is left of the other form.
        replace(standin, (new, BY_STATE))
        assert objects(cursor) == before
        assert rows(cursor, "first_rows") == [("CA", 6), ("TX", 4)]


def test_several_changed_views_are_replaced_with_what_stands_between_them(standin: DatabaseWrapper) -> None:
    create_sales(standin, *ALL)
    most = ViewDefinition("largest", "SELECT state, n FROM large JOIN by_state USING (state)")
    replace(standin, (BY_STATE, PRICES), (LARGEST, most))
    with standin.cursor() as cursor:
        assert rows(cursor, "largest") == [("NY", 1)]
    tenth = ViewDefinition("large", "SELECT state, total / 10 AS total FROM first_rows")
    replace(standin, (LARGE, tenth), (PRICES, BY_STATE), (most, LARGEST))
    with standin.cursor() as cursor:
        assert rows(cursor, "large") == [("NY", 0), (None, None)]


def test_readers_never_miss_a_view(standin: DatabaseWrapper, connect: Callable[[], Any]) -> None:
    create_sales(standin, *ALL)
    done, failures, reads = threading.Event(), list[Exception](), list[int]()

    def read() -> None:
        with closing(connect()) as other:
            other.autocommit = True
            cursor = other.cursor()
            while not done.is_set():
                try:
                    cursor.execute("SELECT total FROM largest")
                    reads.append(cursor.fetchall()[0][0])
                except Exception as failure:  # noqa: BLE001 - the test's own thread shows it
                    failures.append(failure)
                    return

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(5):
        replace(standin, (BY_STATE, PRICES))
        replace(standin, (PRICES, BY_STATE))
    done.set()
    reader.join()
    assert failures == []
    assert set(reads) <= {2, 20}


def test_a_change_that_a_view_above_can_not_follow_names_it_and_changes_nothing(
    standin: DatabaseWrapper,
) -> None:
    create_sales(standin, *ALL)
    with standin.cursor() as cursor:
        before = objects(cursor)
        renamed = ViewDefinition("by_state", "SELECT state, sum(qty) AS turnover FROM sales GROUP BY state")
        with pytest.raises(DatabaseError, match=r"View '(large|first_rows|totals)' can't be created: column"):
            replace(standin, (BY_STATE, renamed))
        with pytest.raises(NotSupportedError, match=r"'by_state'.*standin"):
            replace(standin, (BY_STATE, ViewDefinition("by_state", "SELECT state, approx(qty) FROM sales")))
        assert objects(cursor) == before
        assert rows(cursor, "large") == [("NY", 2)]


def test_grants_comments_and_users_own_views_are_kept(standin: DatabaseWrapper) -> None:
    create_sales(standin, *ALL)
    with standin.cursor() as cursor:
        cursor.execute("CREATE ROLE reader")
        try:
            cursor.execute("CREATE VIEW mine AS SELECT state AS place FROM large")
            cursor.execute(
                "GRANT SELECT ON large, by_state, mine TO reader; GRANT SELECT ON first_rows TO PUBLIC"
            )
            cursor.execute("COMMENT ON VIEW large IS 'it''s large'")
            replace(standin, (BY_STATE, PRICES))
            cursor.execute("SELECT obj_description('large'::regclass, 'pg_class')")
            assert cursor.fetchall() == [("it's large",)]
            cursor.execute("SET ROLE reader")
            for view in ("large", "by_state", "first_rows", "mine"):
                rows(cursor, view)
        finally:
            cursor.execute("RESET ROLE; DROP OWNED BY reader; DROP ROLE reader")


@pytest.mark.parametrize("new", [PRICES, DISTINCT], ids=["summary", "plain view"])
def test_what_older_versions_have_created_is_replaced_and_dropped(
    standin: DatabaseWrapper, new: ViewDefinition
) -> None:
    create_sales(standin, BY_STATE, LEADING, TOTALS)
    with standin.cursor() as cursor:
        # They recorded nothing.
        cursor.execute(f"DELETE FROM {DEFINITIONS}")
        replace(standin, (BY_STATE, new))
        assert rows(cursor, "totals") == [(2, 20 if new is PRICES else 2)]
        assert standin.standin is not None
        definitions = standin.standin.get_definitions(cursor)
        quote = standin.ops.quote_name
        assert definitions == {view.name: view.create_sql(quote) for view in (new, LEADING, TOTALS)}
        with standin.schema_editor() as editor:
            for view in (TOTALS, LEADING, new):
                editor.delete_streaming_object(view)
        cursor.execute("SELECT to_regnamespace('standin')")
        assert cursor.fetchall() == [(None,)]


@pytest.mark.parametrize("view", ALL, ids=lambda view: view.name)
def test_a_renamed_view_goes_on_and_so_does_what_stands_on_it(
    standin: DatabaseWrapper, view: Any, connect: Callable[[], Any]
) -> None:
    create_sales(standin, *ALL)
    listener = connect()
    listener.autocommit = True
    listener.cursor().execute(f"LISTEN {CHANNEL}")
    names = {each.name for each in ALL}
    with standin.cursor() as cursor, standin.schema_editor() as editor:
        before = objects(cursor)
        editor.rename_streaming_object(view, "renamed")
        assert names - {view.name} | {"renamed"} <= set(standin.introspection.get_relation_kinds(cursor))
        cursor.execute("INSERT INTO sales (state, qty) VALUES ('TX', 4)")
        assert set(notified(listener, cursor)) == names - {view.name} | {"renamed"}
        assert rows(cursor, "renamed" if view is LARGEST else "largest") == [(4,)]
        renamed = replace_field(view, name="renamed")
        editor.rename_streaming_object(renamed, view.name)
        assert objects(cursor) == before
        editor.rename_streaming_object(view, "renamed")
        if view in (TOTALS, LARGEST):
            editor.delete_streaming_object(renamed)
            assert names - {view.name} <= set(standin.introspection.get_relation_kinds(cursor))

"""A changed view is built beside the old one, with all that stands on it, and swapped.

The double plays RisingWave: its SWAP exchanges names only, and a view with others on it can't be dropped.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from django.db import NotSupportedError, OperationalError, ProgrammingError

from django_risingwave.streaming.changes import ChangeListener
from django_risingwave.streaming.definitions import SubscriptionDefinition
from django_risingwave.streaming.rebuilding.plan import is_temporary_name
from django_risingwave.streaming.selectable_event import SelectableEvent
from django_risingwave.streaming.views import ViewDefinition
from tests.django_risingwave.streaming.rebuilt import (
    DEPENDENTS,
    NEW,
    OLD,
    catalog,
    create_views,
    interrupt,
    replace,
    run,
)
from tests.processes import DEADLINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.testing.double import Double


@pytest.fixture
def views(double: Double, standin: DatabaseWrapper) -> DatabaseWrapper:
    """The views, on the double."""
    create_views(standin)
    return standin


def test_a_changed_view_and_all_that_stands_on_it_have_the_new_rows(
    views: DatabaseWrapper, double: Double
) -> None:
    before = [name for name, kind, definition in catalog(views)["objects"]]  # type: ignore[attr-defined]
    replace(views)
    after = catalog(views)
    assert after["rows"] == {
        "totals": [(1, 20)],
        "leaders": [(1, 20)],
        "summary": [(1, 20)],
        "pairs": [(1, 20, "'FROM totals AS x'")],
        "plain": [(1,)],
    }
    assert [name for name, kind, definition in after["objects"]] == before  # type: ignore[attr-defined]
    definitions = {name: definition for name, kind, definition in after["objects"]}  # type: ignore[attr-defined]
    assert definitions["by_total"] == 'CREATE INDEX by_total ON totals ("total" DESC NULLS LAST, "k")'
    assert definitions["leader_changes"] == (
        "CREATE SUBSCRIPTION leader_changes FROM leaders WITH (retention = '12h')"
    )
    run(views, "INSERT INTO t VALUES (1, 1)")
    assert run(views, "SELECT total FROM summary") == [(30,)]


def test_readers_find_each_view_at_every_moment(views: DatabaseWrapper, double: Double) -> None:
    names = {"totals", "plain", *DEPENDENTS, "totals_changes", "leader_changes"}
    missing: list[str] = []

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith(("CREATE", "ALTER", "DROP")):
            with views.wrap_database_errors, views.connection.cursor() as cursor:
                cursor.execute("SELECT name FROM rw_catalog.rw_relations")
                missing.extend(names - {name for (name,) in cursor.fetchall()})
        return result

    with views.execute_wrapper(look):
        replace(views)
    assert missing == []


def test_dependents_are_built_after_what_they_read_and_dropped_before_it(
    views: DatabaseWrapper, double: Double
) -> None:
    start = len(double.statements)
    replace(views)
    sent = [
        sql
        for sql in double.statements[start:]
        if sql.startswith(("ALTER MATERIALIZED", "DROP MATERIALIZED"))
    ]
    order = [next(name for name in ["totals", *DEPENDENTS] if name in sql.split('"')[1]) for sql in sent]
    built, dropped = order[:4], order[4:]
    for one, other in [("totals", "leaders"), ("leaders", "summary"), ("leaders", "pairs")]:
        assert built.index(one) < built.index(other)
        assert dropped.index(other) < dropped.index(one)
    assert not [sql for sql in double.statements if "CASCADE" in sql]


def test_a_change_that_was_made_already_sends_no_ddl(views: DatabaseWrapper, double: Double) -> None:
    replace(views)
    start = len(double.statements)
    replace(views)
    assert not [sql for sql in double.statements[start:] if sql.startswith(("CREATE", "ALTER", "DROP"))]


@pytest.mark.unversioned
def test_an_interrupted_change_can_be_run_again_from_every_statement(
    views: DatabaseWrapper, double: Double
) -> None:
    """The change is made forwards and backwards in turn."""
    changes = [(OLD, NEW), (NEW, OLD)]
    expected = []
    for change in changes:
        replace(views, change)
        expected.append(catalog(views))
    statement = 1
    while interrupt(views, changes[0], statement):
        replace(views, changes[0])
        assert catalog(views) == expected[0], f"interrupted after statement {statement}"
        changes.reverse()
        expected.reverse()
        statement += 1
    # For each of 5 views CREATE, SWAP and DROP; 3 for each index; 3 for each subscription.
    assert statement > 5 * 3 + 2 * 2 + 2 * 3


def test_an_interrupted_change_can_be_corrected_and_run_again(views: DatabaseWrapper, double: Double) -> None:
    corrected = ViewDefinition("totals", "SELECT k, max(v) AS total FROM t GROUP BY k")
    replace(views, (OLD, corrected))
    expected = catalog(views)
    replace(views, (corrected, OLD))
    statement = 1
    while interrupt(views, (OLD, NEW), statement):
        replace(views, (NEW, corrected))
        assert catalog(views) == expected, f"interrupted after statement {statement}"
        replace(views, (corrected, OLD))
        statement += 7


def test_several_views_that_read_each_other_change_in_one_go(views: DatabaseWrapper, double: Double) -> None:
    old = ViewDefinition("leaders", DEPENDENTS["leaders"])
    new = ViewDefinition("leaders", "SELECT k, total, extra FROM totals ORDER BY total LIMIT 3")
    wider = ViewDefinition("totals", "SELECT k, sum(v) AS total, max(v) AS extra FROM t GROUP BY k")
    replace(views, (old, new), (OLD, wider))
    assert catalog(views)["rows"]["leaders"] == [(1, 2, 2)]  # type: ignore[index]
    narrow_first = [(wider, OLD), (new, old)]
    replace(views, *narrow_first)
    assert catalog(views)["rows"]["leaders"] == [(1, 2)]  # type: ignore[index]


def test_a_dependent_that_lacks_a_column_is_named_before_anything_changes(
    views: DatabaseWrapper, double: Double
) -> None:
    before, start = catalog(views), len(double.statements)
    with pytest.raises(ProgrammingError, match='Materialized view "leaders", which reads "totals", can\'t'):
        replace(views, (OLD, ViewDefinition("totals", "SELECT k, sum(v) AS other FROM t GROUP BY k")))
    assert not [sql for sql in double.statements[start:] if sql.startswith(("CREATE", "ALTER", "DROP"))]
    assert catalog(views) == before


def test_a_build_that_fails_leaves_all_views_as_they_were(views: DatabaseWrapper, double: Double) -> None:
    before = catalog(views)

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("CREATE MATERIALIZED VIEW") and "summary" in sql.split(" AS ", maxsplit=1)[0]:
            raise NotSupportedError("Feature is not yet implemented: it")
        return execute(sql, params, many, context)

    with (
        views.execute_wrapper(refuse),
        pytest.raises(
            NotSupportedError, match=r'"summary", which reads "totals", can\'t be built: Feature'
        ) as error,
    ):
        replace(views)
    assert "All views are as they were." in str(error.value)
    after = catalog(views)
    assert after["rows"] == before["rows"]
    names = [name for name, *_ in after["objects"]]  # type: ignore[attr-defined]
    assert names == [name for name, *_ in before["objects"]]  # type: ignore[attr-defined]
    assert not any(map(is_temporary_name, names))


def test_a_change_that_can_not_be_undone_is_said_to_be_half_done(views: DatabaseWrapper) -> None:
    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("CREATE MATERIALIZED VIEW") and "leaders" in sql.split(" AS ", maxsplit=1)[0]:
            raise NotSupportedError("Feature is not yet implemented: it")
        if sql.startswith("DROP"):
            raise OperationalError("The cluster is recovering")
        return execute(sql, params, many, context)

    with (
        views.execute_wrapper(refuse),
        pytest.raises(NotSupportedError, match="Feature is not yet implemented: it\nThe change is half done"),
    ):
        replace(views)
    replace(views)
    assert run(views, "SELECT total FROM leaders") == [(20,)]


def test_a_sink_is_named_before_anything_changes(views: DatabaseWrapper, double: Double) -> None:
    run(views, """CREATE SINK "out" FROM "summary" WITH (connector = 'blackhole')""")
    before, start = catalog(views), len(double.statements)
    with pytest.raises(
        NotSupportedError, match=r'isn\'t possible for sink "out"\. Drop it in a migration before'
    ):
        replace(views)
    assert not [sql for sql in double.statements[start:] if sql.startswith(("CREATE", "ALTER", "DROP"))]
    assert catalog(views) == before
    replace(views, cascade=True)
    assert double.sinks == {}
    assert catalog(views)["rows"]["summary"] == [(1, 20)]  # type: ignore[index]


@pytest.fixture
def other(connect: Callable[[], Any]) -> Iterator[Any]:
    """A cursor past the double, with another role of the server: `rebuild_other`."""
    connection = connect()
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("DROP ROLE IF EXISTS rebuild_other")
    cursor.execute("CREATE ROLE rebuild_other")
    yield cursor
    cursor.execute("DROP OWNED BY rebuild_other CASCADE")
    cursor.execute("DROP ROLE rebuild_other")


def test_readers_keep_their_grants(other: Any, views: DatabaseWrapper) -> None:
    run(views, 'GRANT SELECT ON MATERIALIZED VIEW "totals" TO rebuild_other')
    replace(views)
    assert run(views, "SELECT has_table_privilege('rebuild_other', 'totals', 'SELECT')") == [(True,)]
    assert run(views, "SELECT has_table_privilege('rebuild_other', 'leaders', 'SELECT')") == [(False,)]


def test_a_view_that_others_own_is_named(other: Any, views: DatabaseWrapper) -> None:
    other.execute("ALTER VIEW leaders OWNER TO rebuild_other")
    with pytest.raises(NotSupportedError, match='materialized view "leaders" of rebuild_other'):
        replace(views)


def test_a_view_that_does_not_exist_is_named(views: DatabaseWrapper) -> None:
    missing = ViewDefinition("missing", "SELECT k FROM t")
    with pytest.raises(ProgrammingError, match='Materialized view "missing" doesn\'t exist'):
        replace(views, (missing, ViewDefinition("missing", "SELECT v FROM t")))


def test_another_kind_of_object_can_not_be_changed(views: DatabaseWrapper) -> None:
    subscription = SubscriptionDefinition("s", "totals", "1 day")
    with pytest.raises(NotSupportedError, match="definition of subscription 's' can't be changed"):
        replace(views, (subscription, SubscriptionDefinition("s", "totals", "2 days")))  # type: ignore[arg-type]


def test_a_view_is_renamed_once_and_what_reads_it_goes_on(views: DatabaseWrapper, double: Double) -> None:
    for _ in "run", "run again":
        with views.schema_editor() as editor:
            editor.rename_streaming_object(OLD, "sums")
    assert run(views, "SELECT * FROM sums") == run(views, "SELECT * FROM leaders")
    assert double.subscriptions["totals_changes"] == "sums"


def test_processes_that_follow_a_view_are_told_to_read_it_again(views: DatabaseWrapper) -> None:
    with (
        closing(ChangeListener("risingwave", ["leaders"])) as listener,
        closing(SelectableEvent()) as wake,
    ):
        assert listener.start()
        assert listener.wait(0, wake) == set()
        replace(views)
        assert listener.wait(DEADLINE_SECONDS, wake) == {"leaders"}
        run(views, "INSERT INTO t VALUES (1, 1)")
        assert listener.wait(DEADLINE_SECONDS, wake) == {"leaders"}


def test_a_view_in_use_is_not_dropped_and_its_users_are_named(views: DatabaseWrapper, double: Double) -> None:
    leaders = ViewDefinition("leaders", DEPENDENTS["leaders"])
    run(views, "DROP SUBSCRIPTION leader_changes")
    with (
        views.schema_editor() as editor,
        pytest.raises(
            NotSupportedError, match=r"because other objects use it: materialized view public\.summary"
        ),
    ):
        editor.delete_streaming_object(leaders)
    assert run(views, "SELECT k FROM leaders") == [(1,)]


def test_sqlmigrate_shows_the_statements_that_do_not_depend_on_the_catalog(
    views: DatabaseWrapper, double: Double
) -> None:
    before = catalog(views)
    with views.schema_editor(collect_sql=True) as editor:
        editor.replace_streaming_objects([(OLD, NEW)])
    assert editor.collected_sql == [
        "-- What stands on these views is built again, swapped and dropped likewise.",
        f'CREATE MATERIALIZED VIEW "rebuild_1130dc4c_totals" AS {NEW.query};',
        'ALTER MATERIALIZED VIEW "totals" SWAP WITH "rebuild_1130dc4c_totals";',
        'DROP MATERIALIZED VIEW "rebuild_1130dc4c_totals";',
    ]
    assert catalog(views) == before


def test_a_view_in_use_on_the_stand_in_is_not_dropped_either(standin: DatabaseWrapper) -> None:
    create_views(standin, views_only=True)
    with (
        standin.schema_editor() as editor,
        pytest.raises(NotSupportedError, match="because other objects use it: materialized view leaders"),
    ):
        editor.delete_streaming_object(OLD)
    assert run(standin, "SELECT * FROM totals") == [(1, 2)]

"""makemigrations writes what the models of a project declare."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import models
from django.db.migrations import operations as django
from django.db.migrations.state import ModelState, ProjectState

from django_risingwave.streaming.aggregates import Sum
from django_risingwave.streaming.definitions import Subscription
from django_risingwave.streaming.detecting.changed_models import CircularDefinitionsError
from django_risingwave.streaming.migration_operations import CreateMaterializedView, CreateSubscription
from django_risingwave.streaming.model_operations import (
    AlterStreamingModels,
    CreateStreamingModel,
    DeleteStreamingModel,
)
from django_risingwave.streaming.secrets import Environment, Secret
from django_risingwave.streaming.sinks import Sink
from django_risingwave.streaming.views import ViewDefinition
from tests.django_risingwave.streaming.detecting import (
    LABEL,
    changes,
    described,
    operations,
    state_of,
    table,
    view,
    written,
)

SALES = table("Sales", kind=models.CharField(max_length=10), amount=models.IntegerField())
QUERY = "SELECT kind, sum(amount) AS total FROM sales GROUP BY kind"


def total(query: str = QUERY, **more: Any) -> type[models.Model]:
    return view("Total", query, total=models.BigIntegerField(), **more)


def test_a_view_is_created_with_its_select_after_the_table_that_it_reads() -> None:
    create_table, create = operations(ProjectState(), total(), SALES)
    assert type(create_table) is django.CreateModel
    assert type(create) is CreateStreamingModel
    assert create.definition == ViewDefinition("total", QUERY)
    assert {name for name, _ in create.fields} == {"kind", "total"}
    assert create.migration_name_fragment == "total"


def test_without_a_change_there_is_nothing_to_do() -> None:
    assert operations(state_of(SALES, total()), SALES, total()) == []


def test_another_form_of_the_same_select_is_no_change() -> None:
    same = total('select "kind", SUM(amount) total\n FROM "sales" -- of all\n GROUP BY kind;')
    assert operations(state_of(SALES, total()), SALES, same) == []


def test_a_changed_select_alters_the_view() -> None:
    (alter,) = operations(state_of(SALES, total()), SALES, total(QUERY + " HAVING sum(amount) > 1"))
    assert type(alter) is AlterStreamingModels
    (change,) = alter.changes
    assert change.fields is None
    assert change.definition == ViewDefinition("total", QUERY + " HAVING sum(amount) > 1")


def test_a_changed_field_alters_the_state_alone() -> None:
    changed = view("Total", QUERY, total=models.DecimalField(max_digits=5, decimal_places=1))
    (alter,) = operations(state_of(SALES, total()), SALES, changed)
    (change,) = alter.changes
    assert change.definition is None
    assert isinstance(dict(change.fields)["total"], models.DecimalField)


def test_a_removed_model_drops_the_view_before_the_table() -> None:
    delete, delete_table = operations(state_of(SALES, total()))
    assert isinstance(delete, DeleteStreamingModel)
    assert type(delete_table) is django.DeleteModel


def test_a_chain_of_views_is_created_and_dropped_in_order_of_dependence() -> None:
    chain = [
        view("A", "SELECT kind FROM b"),
        view("B", "SELECT kind FROM c"),
        view("C", "SELECT kind FROM sales"),
    ]
    names = [operation.name for operation in operations(ProjectState(), SALES, *chain)]
    assert names == ["Sales", "C", "B", "A"]
    assert [operation.name for operation in operations(state_of(SALES, *chain))] == ["A", "B", "C", "Sales"]


def test_a_chain_of_views_over_two_apps_is_created_in_order_of_dependence() -> None:
    first = view("First", "SELECT kind FROM sales")
    second = view("Second", "SELECT kind FROM first", app="other")
    third = view("Third", "SELECT kind FROM second")
    found = changes(ProjectState(), third, second, first, SALES)
    ours = [[operation.name for operation in migration.operations] for migration in found[LABEL]]
    assert ours == [["Sales", "First"], ["Third"]]
    (other,) = found["other"]
    assert [operation.name for operation in other.operations] == ["Second"]
    assert (LABEL, found[LABEL][0].name) in other.dependencies
    assert ("other", other.name) in found[LABEL][1].dependencies


def test_a_window_over_a_table_depends_on_the_table() -> None:
    windows = view("A", "SELECT kind FROM TUMBLE(sales, at, INTERVAL '1 hour')")
    assert [operation.name for operation in operations(ProjectState(), windows, SALES)] == ["Sales", "A"]


def test_changed_views_that_read_each_other_are_altered_together_in_order() -> None:
    def chain(kind: str) -> list[type[models.Model]]:
        return [
            view("A", f"SELECT kind, '{kind}' AS x FROM b"),
            view("B", f"SELECT kind, '{kind}' AS x FROM sales"),
            view("C", f"SELECT kind, '{kind}' AS x FROM sales"),
        ]

    found = operations(state_of(SALES, *chain("old")), SALES, *chain("new"))
    assert sorted([change.name for change in alter.changes] for alter in found) == [["B", "A"], ["C"]]


def test_a_new_view_between_changed_ones_comes_between_them() -> None:
    """One operation for both would have to come before the new view, and after it."""
    old = [view("A", "SELECT kind FROM c"), view("C", "SELECT kind FROM sales")]
    new = [
        view("A", "SELECT kind FROM b"),
        view("B", "SELECT kind FROM c"),
        view("C", "SELECT kind FROM sales WHERE true"),
    ]
    alter_c, create_b, alter_a = operations(state_of(SALES, *old), SALES, *new)
    assert [change.name for change in alter_c.changes] == ["C"]
    assert create_b.name == "B"
    assert [change.name for change in alter_a.changes] == ["A"]


def test_a_changed_view_waits_for_a_new_view_and_a_dropped_one_waits_for_it() -> None:
    old = [view("Old", "SELECT kind FROM sales"), view("Reader", "SELECT kind FROM old")]
    new = [view("New", "SELECT kind FROM sales WHERE true"), view("Reader", "SELECT kind FROM new")]
    create, alter, delete = operations(state_of(SALES, *old), SALES, *new)
    assert isinstance(create, CreateStreamingModel)
    assert isinstance(alter, AlterStreamingModels)
    assert isinstance(delete, DeleteStreamingModel)


def test_a_view_is_altered_after_the_columns_that_it_reads_are_added_and_before_others_are_removed() -> None:
    def sales(**fields: Any) -> type[models.Model]:
        return table("Sales", kind=models.CharField(max_length=10), **fields)

    old = [sales(a=models.IntegerField()), view("A", "SELECT kind, a FROM sales")]
    new = [sales(b=models.IntegerField(null=True)), view("A", "SELECT kind, b FROM sales")]
    found = [type(operation).__name__ for operation in operations(state_of(*old), *new)]
    assert found == ["AddField", "AlterStreamingModels", "RemoveField"]


def test_a_circle_is_named() -> None:
    with pytest.raises(CircularDefinitionsError, match=rf"{LABEL}\.\w → {LABEL}\.\w → {LABEL}\.\w\b"):
        changes(ProjectState(), view("A", "SELECT kind FROM b"), view("B", "SELECT kind FROM a"))


def test_a_subscription_is_created_after_its_view_and_dropped_before_it() -> None:
    subscribed = total(subscription="1 day")
    assert described(ProjectState(), SALES, subscribed)[1:] == [
        "Create materialized view total (model Total)",
        "Create subscription total_changes",
    ]
    assert described(state_of(SALES, subscribed), SALES) == [
        "Drop subscription total_changes",
        "Delete model Total",
    ]


def test_another_retention_drops_and_creates_the_subscription() -> None:
    old, new = total(subscription="1 day"), total(subscription="2 days")
    drop, create = operations(state_of(SALES, old), SALES, new)
    assert (drop.definition.retention, create.definition.retention) == ("1 day", "2 days")


def test_a_subscription_stays_when_the_select_changes() -> None:
    """The view's replacement has it: streaming/rebuilding/swapping.py."""
    old = total(subscription="1 day")
    new = total(QUERY + " HAVING sum(amount) > 1", subscription="1 day")
    assert described(state_of(SALES, old), SALES, new) == ["Alter Total"]


def test_a_table_has_a_subscription_too() -> None:
    subscribed = table("Plain", subscription="1 day")
    assert described(state_of(table("Plain")), subscribed) == ["Create subscription plain_changes"]
    assert described(state_of(subscribed)) == ["Drop subscription plain_changes", "Delete model Plain"]


def test_the_indexes_of_a_view_are_created_added_and_removed() -> None:
    index = models.Index(models.F("total").desc(nulls_last=True), name="by_total")
    indexed = total(indexes=[index])
    *_, create = operations(ProjectState(), SALES, indexed)
    assert create.options["indexes"] == [index]
    (add,) = operations(state_of(SALES, total()), SALES, indexed)
    assert isinstance(add, django.AddIndex)
    (remove,) = operations(state_of(SALES, indexed), SALES, total())
    assert isinstance(remove, django.RemoveIndex)


def test_a_renamed_model_keeps_its_view() -> None:
    renamed = view("Sum", QUERY, total=models.BigIntegerField(), db_table="total")
    assert described(state_of(SALES, total()), SALES, renamed) == ["Rename model Total to Sum"]


def test_a_renamed_model_with_another_view_name_renames_the_view() -> None:
    renamed = view("Sum", QUERY, total=models.BigIntegerField())
    assert described(state_of(SALES, total()), SALES, renamed) == [
        "Rename model Total to Sum",
        "Rename table for sum to sum",
    ]


def test_another_db_table_renames_the_view() -> None:
    renamed = total(db_table="sums")
    assert described(state_of(SALES, total()), SALES, renamed) == ["Rename table for total to sums"]


def legacy_state() -> ProjectState:
    """Return the state after migrations that were written by hand, before models declared views."""
    state = state_of(SALES)
    plain = ModelState.from_model(total())
    state.add_model(ModelState(LABEL, "Total", dict(plain.fields), dict(plain.options)))
    for operation in (
        CreateMaterializedView("total", source="sales", group_by=["kind"], measures={"total": Sum("amount")}),
        CreateSubscription("total_changes", source="total"),
    ):
        operation.state_forwards(LABEL, state)
    return state


def test_operations_written_by_hand_count_as_declared() -> None:
    assert operations(legacy_state(), SALES, total(subscription="1 day")) == []


def test_a_view_that_an_operation_written_by_hand_has_created_is_altered() -> None:
    new = total(QUERY + " HAVING sum(amount) > 1")
    assert described(legacy_state(), SALES, new) == ["Drop subscription total_changes", "Alter Total"]


def test_a_model_without_a_select_is_left_alone() -> None:
    others = view("Total", None, total=models.BigIntegerField())
    assert described(ProjectState(), others) == ["Create model Total"]
    assert operations(state_of(others), others) == []
    assert described(state_of(others)) == ["Delete model Total"]


def test_a_select_can_be_declared_for_a_view_that_others_have_made() -> None:
    others = view("Total", None, total=models.BigIntegerField())
    (adopt,) = operations(state_of(SALES, others), SALES, total())
    assert isinstance(adopt, AlterStreamingModels)


def test_an_operation_is_the_same_in_its_migration_file() -> None:
    lines = "SELECT kind, '100 %s' AS \"a'b\",\n    sum(amount) AS total\nFROM sales GROUP BY kind"
    subscribed = total(lines, subscription="2 days", standin="SELECT 1\nFROM sales")
    _, create, subscribe = operations(ProjectState(), SALES, subscribed)
    assert written(create).definition == create.definition
    assert [name for name, _ in written(create).fields] == [name for name, _ in create.fields]
    assert written(subscribe).definition == subscribe.definition
    alter, *_ = operations(state_of(SALES, total()), SALES, subscribed)
    assert written(alter).changes[0].definition == create.definition


def test_a_renamed_view_gets_a_subscription_of_its_new_name() -> None:
    renamed = total(db_table="sums", subscription="1 day")
    assert sorted(described(state_of(SALES, total(subscription="1 day")), SALES, renamed)) == [
        "Create subscription sums_changes",
        "Drop subscription total_changes",
        "Rename table for total to sums",
    ]


def test_a_renamed_table_keeps_a_subscription_that_has_a_name_of_its_own() -> None:
    def plain(name: str) -> type[models.Model]:
        return table(name, subscription=Subscription(name="all"))

    assert described(state_of(plain("Old")), plain("New")) == [
        "Rename model Old to New",
        "Rename table for new to new",
    ]


BLACKHOLE = Sink("totals_out", {"connector": "blackhole", "type": "append-only", "force_append_only": True})


def test_a_sink_of_a_changed_view_or_of_one_over_it_is_dropped_before_and_created_after() -> None:
    """It would send all rows again: RisingWave can't exchange sinks."""
    over = view("Over", "SELECT kind FROM total", sinks=[BLACKHOLE])
    changed = total(QUERY + " HAVING sum(amount) > 1")
    assert described(state_of(SALES, total(), over), SALES, changed, over) == [
        "Drop sink totals_out",
        "Alter Total",
        "Create sink totals_out",
    ]


def test_a_secret_is_created_before_what_uses_it_and_dropped_after_it() -> None:
    password = Secret("kafka_password", Environment("KAFKA_PASSWORD"))
    sink = Sink(
        "out",
        {
            "connector": "kafka",
            "topic": "t",
            "properties.bootstrap.server": "k:9092",
            "properties.sasl.password": password,
        },
    )
    secured = total(sinks=[sink])
    assert described(state_of(SALES, total()), SALES, secured) == [
        "Create secret kafka_password",
        "Create sink out",
    ]
    assert described(state_of(SALES, secured), SALES) == [
        "Drop sink out",
        "Delete model Total",
        "Drop secret kafka_password",
    ]


def test_a_foreign_key_of_a_view_is_in_its_state() -> None:
    """Django leaves out the relations of unmanaged models."""
    key = models.ForeignKey(f"{LABEL}.Sales", models.DO_NOTHING, primary_key=True)
    related = view("Related", "SELECT id AS sale_id FROM sales", sale=key)
    create_table, create = operations(ProjectState(), related, SALES)
    assert create_table.name == "Sales"
    assert [name for name, _ in create.fields] == ["sale"]
    assert described(state_of(SALES, related)) == ["Delete model Related", "Delete model Sales"]


def test_a_view_of_another_app_is_dropped_before_what_it_reads() -> None:
    over = view("Over", "SELECT kind FROM total", app="other")
    found = changes(state_of(SALES, total(), over), SALES)
    (ours,), (others,) = found[LABEL], found["other"]
    assert ("other", others.name) in ours.dependencies

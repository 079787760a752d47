"""Whatever views read before and after, makemigrations finds an order in which each operation is possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from django_risingwave.streaming.model_operations import (
    AlterStreamingModels,
    CreateStreamingModel,
    DeleteStreamingModel,
)
from tests.django_risingwave.streaming.detecting import LABEL, changes, state_of, table, view

if TYPE_CHECKING:
    from django.db import models

NAMES = ["v1", "v2", "v3", "v4", "v5"]
APPS = {"v1": LABEL, "v2": "other", "v3": LABEL, "v4": "other", "v5": LABEL}
BASE = table("Base")


@st.composite
def graphs(draw: Any) -> dict[str, frozenset[str]]:
    """Draw some views, and what each one reads."""
    order = draw(st.permutations(NAMES))[: draw(st.integers(0, len(NAMES)))]
    return {
        name: frozenset(draw(st.sets(st.sampled_from(["base", *order[:i]])))) for i, name in enumerate(order)
    }


def declared(graph: dict[str, frozenset[str]]) -> list[type[models.Model]]:
    return [
        BASE,
        *(
            view(
                name,
                f"SELECT '{name}' AS kind " + " ".join(f"UNION SELECT kind FROM {r}" for r in sorted(reads)),
                app=APPS[name],
            )
            for name, reads in graph.items()
        ),
    ]


def in_order(found: dict[str, list[Any]]) -> list[Any]:
    """Return the migrations in an order that their dependencies allow."""
    waiting = [migration for migrations in found.values() for migration in migrations]
    done: list[Any] = []
    while waiting:
        names = {(migration.app_label, migration.name) for migration in waiting}
        ready = [migration for migration in waiting if not names & {*migration.dependencies}]
        assert ready, "the migrations depend on each other"
        done += ready
        waiting = [migration for migration in waiting if migration not in ready]
    return done


@settings(max_examples=60, deadline=None)
@given(graphs(), graphs())
def test_each_operation_finds_what_it_reads_and_drops_nothing_that_is_read(
    old: dict[str, frozenset[str]], new: dict[str, frozenset[str]]
) -> None:
    state = state_of(*declared(old))
    there = dict(old)
    for migration in in_order(changes(state, *declared(new))):
        for operation in migration.operations:
            match operation:
                case CreateStreamingModel():
                    created = [operation.name]
                case AlterStreamingModels():
                    created = [change.name for change in operation.changes]
                case DeleteStreamingModel():
                    created = []
                    del there[operation.name]
                    assert not [name for name, reads in there.items() if operation.name in reads]
                case _:
                    raise AssertionError(operation)
            for name in created:
                assert new[name] <= {"base", *there}
                there[name] = new[name]
        state = migration.mutate_state(state)
    assert there == new
    assert changes(state, *declared(new)) == {}

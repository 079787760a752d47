"""explain() supports RisingWave's formats and options, and refuses others by name."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from django.db import DatabaseError, NotSupportedError

from django_risingwave.version import ServerVersion
from tests.django_risingwave.models import Author

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise


@pytest.fixture
def authors(connection: DatabaseWrapper) -> Any:
    with connection.schema_editor() as editor:
        editor.create_model(Author)
    return Author.objects.filter(name__startswith="A")


@pytest.mark.parametrize("options", [{}, {"verbose": True}, {"verbose": False, "analyze": False}])
@pytest.mark.parametrize("kind", [None, "text", "json", "xml", "yaml"])
def test_explain_returns_a_plan(authors: Any, kind: str | None, options: dict[str, bool]) -> None:
    plan = authors.explain(format=kind, **options)
    assert plan
    if kind == "json":
        json.loads(plan)
    elif kind == "yaml":
        yaml.safe_load(plan)
    elif kind == "xml":
        assert plan.startswith("<")


@pytest.mark.parametrize(
    ("kind", "options", "prefix"),
    [
        (None, {}, "EXPLAIN SELECT"),
        (None, {"verbose": True, "trace": True}, "EXPLAIN (TRACE, VERBOSE) SELECT"),
        (None, {"verbose": False, "trace": False}, "EXPLAIN SELECT"),
        (None, {"logical": True}, "EXPLAIN (LOGICAL) SELECT"),
        ("JSON", {"physical": True}, "EXPLAIN (PHYSICAL, FORMAT JSON) SELECT"),
        ("dot", {"distsql": True}, "EXPLAIN (DISTSQL, FORMAT dot) SELECT"),
    ],
)
def test_risingwaves_own_options_and_formats_are_sent(
    authors: Any, disguise: Disguise, kind: str | None, options: dict[str, bool], prefix: str
) -> None:
    # PostgreSQL refuses most of these; the statement watch checks them against RisingWave's grammar.
    with suppress(DatabaseError):
        authors.explain(format=kind, **options)
    assert disguise.statements[-1].startswith(prefix)


@pytest.mark.parametrize(
    ("kind", "options", "error", "message"),
    [
        (None, {"analyze": True}, NotSupportedError, "doesn't support EXPLAIN ANALYZE of a query"),
        (
            None,
            {"costs": True, "buffers": False},
            ValueError,
            "Unknown options: BUFFERS, COSTS. Use distsql",
        ),
        (None, {"logical": True, "distsql": True}, ValueError, "one plan at a time, not DISTSQL and LOGICAL"),
        ("csv", {}, ValueError, "CSV is not a recognized format. Allowed formats: "),
    ],
)
def test_an_unknown_option_is_refused_by_name(
    authors: Any, kind: str | None, options: dict[str, bool], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        authors.explain(format=kind, **options)


@pytest.mark.parametrize("option", ["trace", "logical", "physical", "distsql"])
def test_an_option_that_the_stand_in_lacks_is_refused_by_name(
    authors: Any, standin: DatabaseWrapper, option: str
) -> None:
    with pytest.raises(NotSupportedError, match=rf"doesn't support EXPLAIN \({option.upper()}\)"):
        authors.explain(**{option: True})
    with pytest.raises(ValueError, match="DOT is not a recognized format"):
        authors.explain(format="dot")


def test_the_oldest_risingwave_supports_no_formats(authors: Any, disguise: Disguise) -> None:
    disguise.connection._server_version = ServerVersion(is_risingwave=True, version="2.1.4")
    assert authors.explain(verbose=True)
    with pytest.raises(ValueError, match="RisingWave does not support any formats"):
        authors.explain(format="json")

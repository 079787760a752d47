"""How a project declares its rankings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured

from live import checks
from live.rankings import RANKINGS, register, select

FIRST = "states-by-turnover"


@pytest.fixture(autouse=True)
def registry():
    """Restore the registered rankings after the test."""
    before = dict(RANKINGS)
    yield
    RANKINGS.clear()
    RANKINGS.update(before)


def test_a_ranking_is_registered_and_selected_by_its_slug():
    mine = replace(RANKINGS[FIRST], slug="mine")
    register(mine)
    assert select(["mine"]) == [mine]


def test_a_ranking_may_be_registered_again_but_not_another_one_with_its_slug():
    register(RANKINGS[FIRST])
    with pytest.raises(
        ImproperlyConfigured, match=r"Two rankings have the slug 'states-by-turnover'\. Give one"
    ):
        register(replace(RANKINGS[FIRST], size=3))


@pytest.mark.parametrize("slug", ["", "a,b", "Top", "a b", "-a", "a/b", "é"])
def test_a_slug_that_does_not_fit_into_urls_and_ids_is_refused(slug):
    with pytest.raises(
        ImproperlyConfigured, match="The slug of a ranking must consist of a-z, 0-9 and single hyphens"
    ):
        register(replace(RANKINGS[FIRST], slug=slug))


@pytest.mark.parametrize("field", ["key", "measure"])
def test_a_field_that_the_model_lacks_is_refused(field):
    with pytest.raises(FieldDoesNotExist, match="nonsense"):
        register(replace(RANKINGS[FIRST], slug="mine", **{field: "nonsense"}))  # type: ignore[arg-type]


def test_the_checks_accept_the_rankings_of_the_demo():
    assert checks.check_rankings() == []


def test_a_project_without_rankings_is_a_warning():
    RANKINGS.clear()
    assert [message.id for message in checks.check_rankings()] == ["live.W001"]


def test_rankings_in_several_databases_are_an_error():
    from django.contrib.auth.models import User

    elsewhere: Any = User
    register(replace(RANKINGS[FIRST], slug="mine", model=elsewhere, key="username", measure="id", windows={}))
    assert [message.id for message in checks.check_rankings()] == ["live.E002"]

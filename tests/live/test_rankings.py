"""Declaring rankings, in this project and in others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured

from live import checks
from live.rankings import RANKINGS, register, select

FIRST = "states-by-turnover"


@pytest.fixture(autouse=True)
def as_before():
    before = dict(RANKINGS)
    yield
    RANKINGS.clear()
    RANKINGS.update(before)


def test_a_ranking_is_registered_and_selected_by_its_slug():
    mine = replace(RANKINGS[FIRST], slug="mine")
    register(mine)
    assert select(["mine"]) == [mine]


def test_the_same_ranking_may_be_registered_again_but_no_other_of_its_slug():
    register(RANKINGS[FIRST])
    with pytest.raises(ImproperlyConfigured, match="two rankings 'states-by-turnover'"):
        register(replace(RANKINGS[FIRST], size=3))


@pytest.mark.parametrize("slug", ["", "a,b", "Top", "a b", "-a", "a/b", "é"])
def test_what_does_not_fit_into_urls_and_ids_is_no_slug(slug):
    with pytest.raises(ImproperlyConfigured, match="no slug"):
        register(replace(RANKINGS[FIRST], slug=slug))


@pytest.mark.parametrize("field", ["key", "measure"])
def test_a_mistyped_field_is_refused_at_once(field):
    with pytest.raises(FieldDoesNotExist, match="nonsense"):
        register(replace(RANKINGS[FIRST], slug="mine", **{field: "nonsense"}))  # type: ignore[arg-type]


def test_the_checks_are_content_with_the_demo():
    assert checks.check_rankings() == []


def test_the_checks_warn_where_there_are_none():
    RANKINGS.clear()
    assert [message.id for message in checks.check_rankings()] == ["live.W001"]


def test_the_checks_refuse_rankings_of_several_databases():
    from django.contrib.auth.models import User

    elsewhere: Any = User
    register(replace(RANKINGS[FIRST], slug="mine", model=elsewhere, key="username", measure="id"))
    assert [message.id for message in checks.check_rankings()] == ["live.E002"]

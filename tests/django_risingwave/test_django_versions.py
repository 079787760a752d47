"""A Django that the backend doesn't know is refused before anything else fails."""

from __future__ import annotations

import importlib

import django
import pytest
from django.core.exceptions import ImproperlyConfigured

import django_risingwave


@pytest.mark.parametrize("version", [(5, 2, 0), (5, 2, 19), (6, 0, 10), (6, 1, 3)])
def test_a_django_that_is_supported(monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]) -> None:
    monkeypatch.setattr(django, "VERSION", (*version, "final", 0))
    importlib.reload(django_risingwave)


@pytest.mark.parametrize("version", [(4, 2, 30), (5, 1, 15), (6, 2, 0), (7, 0, 0)])
def test_a_django_that_is_not(monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]) -> None:
    monkeypatch.setattr(django, "VERSION", (*version, "final", 0))
    found = ".".join(map(str, version)).removesuffix(".0")
    with pytest.raises(
        ImproperlyConfigured, match=rf"works with Django 5\.2, 6\.0 and 6\.1; this is Django {found}"
    ):
        importlib.reload(django_risingwave)

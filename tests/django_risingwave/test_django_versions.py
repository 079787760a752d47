"""What the backend can't work with is refused before anything else fails."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import django
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql.psycopg_any import is_psycopg3

import django_risingwave


@pytest.mark.skipif("TOX_ENV_NAME" not in os.environ, reason="is about the environments of `make matrix`")
def test_the_environment_is_what_its_name_says() -> None:
    python, version, driver = os.environ["TOX_ENV_NAME"].split("-")
    assert python == "py{}{}".format(*sys.version_info)
    assert version == "django{}.{}".format(*django.VERSION)
    assert driver == ("psycopg3" if is_psycopg3 else "psycopg2")


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


def test_a_missing_driver_is_named() -> None:
    program = (
        "import sys\nsys.modules['psycopg'] = sys.modules['psycopg2'] = None\nimport django_risingwave.base\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    error = result.stderr.splitlines()[-1]
    assert error.startswith("django.core.exceptions.ImproperlyConfigured: Error loading psycopg2 or psycopg")
    for extra in ("psycopg2", "psycopg3"):
        assert f'pip install "risingwave-django[{extra}]"' in error

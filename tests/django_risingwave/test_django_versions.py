"""Unsupported versions of Django and missing drivers are refused at import."""

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


@pytest.mark.skipif(
    not os.environ.get("TOX_ENV_NAME", "").startswith("py"), reason="needs an environment of `make matrix`"
)
def test_the_tox_environment_has_the_versions_in_its_name() -> None:
    python, version, driver = os.environ["TOX_ENV_NAME"].split("-")
    assert python == "py{}{}".format(*sys.version_info)
    assert version == "django{}.{}".format(*django.VERSION)
    assert driver == ("psycopg3" if is_psycopg3 else "psycopg2")


@pytest.mark.parametrize("version", [(5, 2, 0), (5, 2, 19), (6, 0, 10), (6, 1, 3)])
def test_a_supported_django_is_accepted(monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]) -> None:
    monkeypatch.setattr(django, "VERSION", (*version, "final", 0))
    importlib.reload(django_risingwave)


@pytest.mark.parametrize("version", [(4, 2, 30), (5, 1, 15), (6, 2, 0), (7, 0, 0)])
def test_an_unsupported_django_is_refused(monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...]) -> None:
    monkeypatch.setattr(django, "VERSION", (*version, "final", 0))
    found = ".".join(map(str, version)).removesuffix(".0")
    with pytest.raises(ImproperlyConfigured, match=rf"supports Django 5\.2, 6\.0 and 6\.1 \(found {found}\)"):
        importlib.reload(django_risingwave)


def test_a_missing_driver_is_named_in_the_error() -> None:
    program = (
        "import sys\nsys.modules['psycopg'] = sys.modules['psycopg2'] = None\nimport django_risingwave.base\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    error = result.stderr.splitlines()[-1]
    assert error.startswith("django.core.exceptions.ImproperlyConfigured: Error loading psycopg2 or psycopg")
    for extra in ("psycopg2", "psycopg3"):
        assert f'pip install "risingwave-django[{extra}]"' in error

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.processes import ROOT

REQUIRED = {"SECRET_KEY": "secret", "DATABASE_URL": "postgres:///a", "RISINGWAVE_URL": "postgres:///b"}


def load(*names: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Load the settings with these variables in a process of its own, and print some as JSON."""
    code = (
        f"import json; from config import settings as s; print(json.dumps([getattr(s, n) for n in {names}]))"
    )
    path = {"PATH": os.environ["PATH"], "ENVIRONMENT_FILE": os.devnull}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=path | environment,
        check=False,
        capture_output=True,
        text=True,
    )


def values(*names: str, **environment: str) -> Any:
    loaded = load(*names, **environment)
    assert loaded.returncode == 0, loaded.stderr
    return json.loads(loaded.stdout)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_variable_is_named_and_so_is_the_file_that_may_set_it(name):
    failed = load(**REQUIRED | {name: ""})
    *_, error = failed.stderr.splitlines()
    assert f"{name} must be set, in the environment or in {os.devnull}." in error


def test_the_environment_file_sets_variables_that_the_environment_does_not(tmp_path):
    file = tmp_path / "environment"
    file.write_text('SECRET_KEY="from the file"\nDATABASE_URL="postgres:///c"\n')
    environment = {"ENVIRONMENT_FILE": str(file), "RISINGWAVE_URL": "postgres:///b", "SECRET_KEY": "set"}
    key, databases = values("SECRET_KEY", "DATABASES", **environment)
    assert key == "set"
    assert databases["default"]["NAME"] == "c"


def test_a_secret_key_may_begin_with_a_dollar_sign():
    assert values("SECRET_KEY", **REQUIRED | {"SECRET_KEY": "$ecret"}) == ["$ecret"]


def test_extra_apps_are_installed_before_live_so_that_their_templates_come_first():
    ((*_, first, second, last),) = values("INSTALLED_APPS", **REQUIRED, EXTRA_APPS="demo.shop,shop")
    assert (first, second, last) == ("demo.shop", "shop", "live")


def test_without_extra_apps_the_site_has_no_shop():
    (apps,) = values("INSTALLED_APPS", **REQUIRED)
    assert "demo.shop" not in apps

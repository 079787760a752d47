"""The wheel and an editable install serve `live` in an empty project, each in a fresh environment."""

from __future__ import annotations

import re
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.db import connections

from tests.conftest import BOTH
from tests.environments import Project, build_wheel, create_environment, environ, read
from tests.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

#: The additions to a new project that docs/integrating.md describes. The view is one of the tests' database.
SETTINGS = """
INSTALLED_APPS = ["daphne", *INSTALLED_APPS, "django_risingwave", "live", "website"]
ASGI_APPLICATION = "website.asgi.application"
DATABASES["risingwave"] = {database!r}
DATABASE_ROUTERS = ["django_risingwave.routers.RisingWaveRouter"]
LIVE_OPEN = True
"""
URLS = """
from django.urls import include, path

urlpatterns = [path("rankings/", include("live.urls"))]
"""
MODELS = """
from django.db import models
from django_risingwave.models import MaterializedView

class StateTurnover(MaterializedView):
    state = models.TextField(primary_key=True)
    turnover = models.DecimalField(max_digits=28, decimal_places=10)

    class Meta(MaterializedView.Meta):
        db_table = "state_turnover"
"""
RANKINGS = """
from live.rankings import Ranking, register
from website.models import StateTurnover

register(Ranking(slug="states", title="states", model=StateTurnover, key="state", measure="turnover"))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def folder(tmp_path: Path, transactional_db: None) -> Path:
    """Make a new project, with a ranking of a view in the tests' database."""
    call_command("startproject", "website", tmp_path)
    package = tmp_path / "website"
    settings = connections["risingwave"].settings_dict
    keys = ("ENGINE", "HOST", "PORT", "USER", "PASSWORD", "NAME", "OPTIONS")
    database = {key: settings[key] for key in keys}
    with (package / "settings.py").open("a") as file:
        file.write(SETTINGS.format(database=database))
    (package / "urls.py").write_text(URLS)
    (package / "models.py").write_text(MODELS)
    (package / "rankings.py").write_text(RANKINGS)
    return tmp_path


def test_the_wheel_holds_both_packages_whole_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    packages = {"django_risingwave", "live"}
    metadata = {name.split("/")[0] for name in names} - packages
    assert [name.endswith(".dist-info") for name in metadata] == [True]
    files = {
        str(file.relative_to(ROOT))
        for package in packages
        for file in (ROOT / package).rglob("*")
        if "__pycache__" not in file.parts and file.is_file()
    }
    assert {name for name in names if name.split("/")[0] in packages} == files


def test_live_imports_each_package_of_its_extra():
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["live"]
    code = "\n".join(file.read_text() for file in (ROOT / "live").rglob("*.py"))
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", code, re.MULTILINE))
    distributions = {name for module in imported for name in packages_distributions().get(module, [])}
    # A distribution may call itself prometheus_client, and a requirement prometheus-client.
    assert {re.split(r"[^\w-]", requirement)[0] for requirement in extra} <= {
        name.replace("_", "-") for name in distributions
    }


@BOTH
@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_an_empty_project_serves_a_ranking_with_its_styles_and_scripts(kind, wheel, folder, orders):
    orders((1, 2, 3.0, "Ohio"))
    source = ["--editable", f"{ROOT}[live,psycopg2]"]
    if kind == "wheel":
        source = [f"risingwave-django[live,psycopg2] @ {wheel.as_uri()}"]
    project = Project(folder, create_environment(folder / "environment", *source), environ())
    with project.serve("manage.py", "runserver", "--noreload", "127.0.0.1:{port}") as url:
        page = read(f"{url}/rankings/")
        assert "Ohio</bdi>" in page
        assert "Ohio</bdi>" in read(f"{url}/rankings/embed/states/")
        files = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page))
        assert {file.rpartition("/")[2] for file in files} >= {
            "live.css",
            "ranking.css",
            "state.js",
            "live.js",
            "icon.svg",
        }
        assert all(read(url + file) for file in files)

from __future__ import annotations

import hashlib
import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from django_risingwave.version import MINIMUM_RISINGWAVE

ROOT = Path(__file__).resolve().parent.parent
VENDORED = ROOT / "live" / "static" / "live" / "vendor" / "htmx-4.0.1"


def test_the_vendored_htmx_has_its_checksums():
    lines = (VENDORED / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split() for line in lines)}
    assert set(sums) == {file.name for file in VENDORED.iterdir()} - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() == digest


@pytest.mark.django_db(databases=["default", "risingwave"])
def test_no_migration_is_missing():
    call_command("makemigrations", check_changes=True, dry_run=True)


# Files that GitHub and pre-commit read --------------------------------------------------------------------


def test_the_hook_of_pre_commit_runs_make_lint():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    [hook] = config["repos"][0]["hooks"]
    assert (hook["entry"], hook["language"], hook["pass_filenames"]) == ("make lint", "system", False)


@pytest.mark.parametrize("form", ["bug", "feature"])
def test_an_issue_form_is_one_that_github_accepts(form):
    """https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms"""
    content = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / f"{form}.yml").read_text())
    assert {"name", "description", "body"} <= set(content)
    fields = [element for element in content["body"] if element["type"] != "markdown"]
    assert {element["type"] for element in fields} <= {"textarea", "input", "dropdown", "checkboxes"}
    assert all(element["attributes"]["label"] for element in fields)
    assert len({element["id"] for element in fields}) == len(fields)


# The metadata names the versions that are tested ---------------------------------------------------------

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT: dict[str, Any] = PYPROJECT["project"]
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
#: The Pythons that each Django supports: https://docs.djangoproject.com/en/6.1/faq/install/
PYTHONS = {"5.2": {"3.11", "3.12", "3.13"}, "6.0": {"3.12", "3.13"}, "6.1": {"3.12", "3.13"}}
DRIVERS = {"psycopg2", "psycopg3"}


def environments() -> list[list[str]]:
    """Return the factors of each environment that `make matrix` runs."""
    return [
        list(names)
        for entry in PYPROJECT["tool"]["tox"]["env_list"]
        for names in (itertools.product(*entry["product"]) if isinstance(entry, dict) else [entry.split("-")])
    ]


def classified(prefix: str) -> set[str]:
    """Return the versions that the classifiers name after `prefix`."""
    pattern = re.compile(re.escape(prefix) + r" :: (\d+\.\d+)")
    return {match[1] for line in PROJECT["classifiers"] if (match := pattern.fullmatch(line))}


def pins(lock: str) -> set[str]:
    return set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements" / lock).read_text(), re.MULTILINE))


def test_every_python_django_and_driver_are_tested_together():
    wanted = {
        (f"py{python}".replace(".", ""), f"django{django}", driver)
        for django, pythons in PYTHONS.items()
        for python in pythons
        for driver in DRIVERS
    }
    assert wanted == {
        tuple(names) for names in environments() if len(names) == 3 and names[0].startswith("py")
    }


def test_the_metadata_names_the_versions_that_are_tested():
    assert classified("Framework :: Django") == set(PYTHONS)
    assert classified("Programming Language :: Python") == set.union(*PYTHONS.values())
    assert PROJECT["requires-python"] == ">=3.11,<3.14"
    (django,) = (item for item in PROJECT["dependencies"] if item.startswith("Django"))
    assert django.startswith("Django>=5.2.")
    assert django.endswith(",<6.2")
    assert set(PROJECT["optional-dependencies"]) >= DRIVERS


def test_the_wheel_is_tested_with_each_driver_and_without():
    assert {names[2] for names in environments() if names[0] == "wheel"} == DRIVERS | {"nodriver"}


def lower_bounds(requirements: list[str]) -> set[tuple[str, Version]]:
    """Return the lowest version that each requirement allows."""
    return {
        (canonicalize_name(parsed.name), Version(specifier.version))
        for parsed in map(Requirement, requirements)
        for specifier in parsed.specifier
        if specifier.operator == ">="
    }


def locked(lock: str) -> set[tuple[str, Version]]:
    return {(name, Version(version)) for name, version in (pin.split("==") for pin in pins(lock))}


def test_every_lower_bound_is_locked_for_the_tests_at_the_lowest_versions():
    extras = PROJECT["optional-dependencies"]
    promised = [*PROJECT["dependencies"], *extras["live"], *extras["standin"]]
    promised += PYPROJECT["dependency-groups"]["site"]
    assert lower_bounds(promised) <= locked("lowest.txt")
    assert len(lower_bounds(promised)) == len(promised)
    for driver in DRIVERS:
        assert lower_bounds(extras[driver]) <= locked(f"lowest-{driver}.txt")


def test_the_lowest_versions_are_tried_with_each_driver():
    assert {names[1] for names in environments() if names[0] == "lowest"} == DRIVERS


def test_the_gate_runs_the_lowest_and_the_newest_with_both_drivers_and_the_wheel():
    gate = {tuple(name.split("-")) for name in PYPROJECT["tool"]["tox"]["labels"]["gate"]}
    newest = max(PYTHONS)
    python = f"py{max(PYTHONS[newest])}".replace(".", "")
    assert gate >= {(python, f"django{newest}", driver) for driver in DRIVERS}
    assert gate >= {("lowest", driver) for driver in DRIVERS}
    assert {names[2] for names in gate if names[0] == "wheel"} == DRIVERS | {"nodriver"}
    assert gate <= {tuple(names) for names in environments()}


def test_the_dashboard_is_tested_on_the_newest_python_and_django():
    assert ["py313", "django6.1", "psycopg2", "dashboard"] in environments()


@pytest.mark.parametrize("django", PYTHONS)
def test_each_django_has_a_lock(django):
    lock = pins(f"django-{django}.txt")
    assert any(pin.startswith(f"django=={django}.") for pin in lock)
    assert not any(pin.startswith("psycopg") for pin in lock)


def test_the_locks_agree():
    found: dict[str, set[frozenset[str]]] = {}
    for lock in (ROOT / "requirements").glob("*.txt"):
        if lock.name.startswith("lowest"):
            continue
        # A lock has several versions of a package if they depend on the Python.
        versions: dict[str, set[str]] = {}
        for name, version in (pin.split("==") for pin in pins(lock.name)):
            versions.setdefault(name, set()).add(version)
        for name, those in versions.items():
            found.setdefault(name, set()).add(frozenset(those))
    assert {name for name, differing in found.items() if len(differing) > 1} == {"django"}


def test_the_locks_name_no_index():
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert not re.search(r"https?://|^--(extra-)?index|@ ", lock.read_text(), re.MULTILINE), lock


def test_the_workflow_runs_the_same_matrix():
    job = WORKFLOW["jobs"]["matrix"]
    run = {entry["python"]: entry["factor"] for entry in job["strategy"]["matrix"]["include"]}
    assert run == {
        python: f"py{python}".replace(".", "") for python in classified("Programming Language :: Python")
    }
    run["lowest"] = "lowest"
    assert all(set(names) & set(run.values()) for names in environments())
    (lowest,) = [step["run"] for step in WORKFLOW["jobs"]["lowest"]["steps"] if "run" in step]
    assert lowest == 'make matrix ARGS="-f lowest"'
    assert 'make matrix ARGS="-f ${{ matrix.factor }}"' in [step.get("run") for step in job["steps"]]
    assert 'make matrix ARGS="-m gate"' in (ROOT / ".ci" / "run").read_text()


def test_the_workflow_runs_on_the_oldest_the_last_2_x_and_the_newest_risingwave():
    job = WORKFLOW["jobs"]["risingwave"]
    versions = job["strategy"]["matrix"]["risingwave"]
    oldest = ".".join(map(str, MINIMUM_RISINGWAVE))
    assert [version.rpartition(".")[0] for version in versions] == [f"v{oldest}", "v2.8", "v3.0"]
    (tests,) = [step["run"] for step in job["steps"] if "make matrix" in step.get("run", "")]
    named = re.search(r"-e (\S+) -- -m risingwave", tests)
    assert named
    assert {name.split("-")[2] for name in named[1].split(",")} == DRIVERS
    live = next(step for step in WORKFLOW["jobs"]["risingwave"]["steps"] if step.get("run") == "make live")
    assert live["env"].keys() == {"RISINGWAVE_KILL", "RISINGWAVE_START"}
    assert all(name.split("-") in environments() for name in named[1].split(","))


def test_the_workflow_has_read_permission_only():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for job in WORKFLOW["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"]
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@v\d+\.\d+\.\d+", step["uses"])
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False

"""The scenarios that take few seconds; `make faults` runs all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.lab import Lab, SkippedError, Templates
from tests.faults.scenario import all_scenarios

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.unversioned, pytest.mark.browser]
QUICK = [each for each in all_scenarios().values() if each.is_quick]


@pytest.fixture(scope="module")
def templates(migrated_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return Templates(tmp_path_factory.mktemp("templates"), migrated_template)


@pytest.mark.parametrize("scenario", QUICK, ids=[each.name for each in QUICK])
def test_the_site_survives(scenario, templates, tmp_path: Path):
    # How long things take beside all other tests says nothing; `make faults` judges it.
    with Lab(tmp_path / "lab", templates, judges_time=False) as lab:
        try:
            scenario.run(lab)
        except SkippedError as error:
            pytest.skip(str(error))

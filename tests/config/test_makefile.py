from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=ROOT, check=False, capture_output=True, text=True)


def test_make_alone_tells_what_there_is():
    (phony,) = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    told = make().stdout
    for target in set(phony.split()) - {"help"}:
        assert f"make {target} " in told


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """Something that is called a Python; a test says what it does."""
    python = tmp_path / "python"
    python.touch(mode=0o755)
    return python


def refusal(tmp_path: Path, python: Path) -> str:
    done = make("demo", f"VENV={tmp_path / 'venv'}", f"PYTHON={python}")
    assert done.returncode == 2
    return done.stderr.splitlines()[0]


def test_a_missing_python_is_told(tmp_path, python):
    python.unlink()
    assert refusal(tmp_path, python).startswith(f"There is no {python} here. Install Python 3.11 or later")


def test_an_old_python_is_told(tmp_path, python):
    python.write_text(
        '#!/bin/sh\ncase "$*" in --version) echo Python 3.9.2;; *version_info*) exit 1;; esac\n'
    )
    assert refusal(tmp_path, python).startswith("Python 3.9.2 is too old: 3.11 or later is needed.")


def test_a_python_without_venv_is_told(tmp_path, python):
    python.write_text('#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\n')
    assert "apt install python3-venv" in refusal(tmp_path, python)

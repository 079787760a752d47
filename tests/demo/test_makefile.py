from __future__ import annotations

import re
import subprocess
import sys
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
    assert refusal(tmp_path, python).startswith(f"There is no {python} here. Install Python 3.11, 3.12 or")


@pytest.mark.parametrize("version", ["3.9.2", "3.14.0"])
def test_a_python_that_is_not_supported_is_told(tmp_path, python, version):
    code = f"import sys; sys.version_info = tuple(map(int, '{version}'.split('.'))); exec(sys.argv.pop(1))"
    python.write_text(
        f'#!/bin/sh\ncase "$1" in --version) echo Python {version};;'
        f' *) shift; exec "{sys.executable}" -c "{code}" "$@";; esac\n'
    )
    assert refusal(tmp_path, python).startswith(f"Python {version} won't do: 3.11, 3.12 or 3.13 is needed.")


def test_a_python_without_venv_is_told(tmp_path, python):
    python.write_text('#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\n')
    assert "apt install python3-venv" in refusal(tmp_path, python)

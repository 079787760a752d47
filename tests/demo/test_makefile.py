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


def test_make_lists_all_commands():
    (phony,) = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = make().stdout
    for target in set(phony.split()) - {"help"}:
        assert f"make {target} " in listed


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A file in place of a Python; each test writes its own."""
    python = tmp_path / "python"
    python.touch(mode=0o755)
    return python


def refusal(tmp_path: Path, python: Path) -> str:
    done = make("demo", f"VENV={tmp_path / 'venv'}", f"PYTHON={python}")
    assert done.returncode == 2
    return done.stderr.splitlines()[0]


def test_a_missing_python_is_reported(tmp_path, python):
    python.unlink()
    assert refusal(tmp_path, python).startswith(f"{python} is not installed. Install Python 3.11, 3.12 or")


@pytest.mark.parametrize("version", ["3.9.2", "3.14.0"])
def test_an_unsupported_python_is_reported(tmp_path, python, version):
    code = f"import sys; sys.version_info = tuple(map(int, '{version}'.split('.'))); exec(sys.argv.pop(1))"
    python.write_text(
        f'#!/bin/sh\ncase "$1" in --version) echo Python {version};;'
        f' *) shift; exec "{sys.executable}" -c "{code}" "$@";; esac\n'
    )
    assert refusal(tmp_path, python).startswith(
        f"Python {version} is not supported. Choose Python 3.11, 3.12 or 3.13"
    )


def test_a_python_without_venv_is_reported(tmp_path, python):
    python.write_text('#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\n')
    assert "apt install python3-venv" in refusal(tmp_path, python)

"""The peers' virtual environments in .peers, each from pinned requirements with hashes."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.processes import ROOT

FOLDER = ROOT / ".peers"
#: The dashboard gets the requirements of `make demo`.
DASHBOARD = ROOT / "requirements" / "demo.txt"


def requirements(name: str) -> Path:
    return DASHBOARD if name == "dashboard" else Path(__file__).parent / f"requirements-{name}.txt"


def is_current(name: str) -> bool:
    """Tell whether the environment exists and was made from the current requirements."""
    installed = FOLDER / name / "requirements.txt"
    return installed.exists() and installed.read_bytes() == requirements(name).read_bytes()


def python(name: str) -> Path:
    """Return the environment's Python. Create the environment if it isn't current."""
    folder = FOLDER / name
    if not is_current(name):
        print(f"Creating {folder.relative_to(ROOT)} …", file=sys.stderr, flush=True)
        venv.create(folder, clear=True, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run(
            [*pip, "install", "--require-hashes", "--requirement", str(requirements(name))], check=True
        )
        (folder / "requirements.txt").write_bytes(requirements(name).read_bytes())
    return folder / "bin" / "python"


def versions(python: Path, packages: tuple[str, ...]) -> dict[str, str]:
    """Return the installed versions of Python and of the packages."""
    code = (
        "import importlib.metadata, json, platform, sys; "
        "print(json.dumps({'Python': platform.python_version()} "
        "| {name: importlib.metadata.version(name) for name in sys.argv[1:]}))"
    )
    output = subprocess.run([python, "-c", code, *packages], check=True, capture_output=True, text=True)
    return dict(json.loads(output.stdout))

"""A virtual environment for each peer, from pinned and hashed requirements, in .peers."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.server import ROOT

FOLDER = ROOT / ".peers"
#: The dashboard is installed as `make demo` installs it.
DASHBOARD = ROOT / "requirements" / "demo.txt"


def requirements(name: str) -> Path:
    return DASHBOARD if name == "dashboard" else Path(__file__).parent / f"requirements-{name}.txt"


def is_made(name: str) -> bool:
    """Tell whether the environment is there, from the requirements as they are now."""
    installed = FOLDER / name / "requirements.txt"
    return installed.exists() and installed.read_bytes() == requirements(name).read_bytes()


def python(name: str) -> Path:
    """Make the environment if need be, and give its Python."""
    folder = FOLDER / name
    if not is_made(name):
        print(f"Making {folder.relative_to(ROOT)} …", file=sys.stderr, flush=True)
        venv.create(folder, clear=True, with_pip=True)
        pip = [
            str(folder / "bin" / "python"),
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--quiet",
            "install",
        ]
        subprocess.run([*pip, "--require-hashes", "--requirement", str(requirements(name))], check=True)
        (folder / "requirements.txt").write_bytes(requirements(name).read_bytes())
    return folder / "bin" / "python"


def versions(python: Path, packages: tuple[str, ...]) -> dict[str, str]:
    """Give the installed versions of these packages, and of Python."""
    code = (
        "import importlib.metadata, json, platform, sys; "
        "print(json.dumps({'Python': platform.python_version()} "
        "| {name: importlib.metadata.version(name) for name in sys.argv[1:]}))"
    )
    output = subprocess.run([python, "-c", code, *packages], check=True, capture_output=True, text=True)
    return dict(json.loads(output.stdout))

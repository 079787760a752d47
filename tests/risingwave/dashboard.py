"""The dashboard on the server: from an INSERT to the frame and to the pixel, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.processes import ROOT


def measure_frames(url: str, default_url: str, orders: int) -> str:
    """Return the table of benchmarks.hearing: inserted, visible, told, frame."""
    return _run("benchmarks.hearing", "--orders", orders, url, default_url)


def measure_pixels(url: str, default_url: str, orders: int) -> str:
    """Return the table of benchmarks.latency: from an INSERT to the painted page in Chromium."""
    return _run("benchmarks.latency", "--repeats", orders, url, default_url)


def _run(module: str, option: str, orders: int, url: str, default_url: str) -> str:
    """Run a benchmark. If it fails, print its output and raise RuntimeError."""
    done = subprocess.run(
        [sys.executable, "-m", module, option, str(orders)],
        cwd=ROOT,
        env=os.environ | {"RISINGWAVE_URL": url, "DATABASE_URL": default_url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise RuntimeError(f"{module} failed: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.strip()

"""The dashboard on the server: from an INSERT to the frame that shows it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.processes import ROOT


def measure(url: str, default_url: str, orders: int) -> str:
    """Return the table of benchmarks.hearing. If it fails, print its output and raise RuntimeError."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.hearing", "--orders", str(orders)],
        cwd=ROOT,
        env=os.environ | {"RISINGWAVE_URL": url, "DATABASE_URL": default_url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise RuntimeError(f"benchmarks.hearing failed: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.strip()

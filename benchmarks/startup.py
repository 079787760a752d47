"""From `make demo` to the page, from nothing and from a warm start: python -m benchmarks.startup.

The virtual environment is there, and so nothing is downloaded. From nothing: no .demo folder.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.processes import free_port
from benchmarks.server import ROOT, spread


def start_and_stop(folder: Path) -> tuple[float, float]:
    """Seconds until the page answers, and from Ctrl-C to the end of it all."""
    port = free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        ["make", "demo"],
        cwd=ROOT,
        env=os.environ | {"DEMO_DIR": str(folder), "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        while not answers(port):
            assert process.poll() is None, "make demo ended by itself"
            time.sleep(0.01)
        up = time.perf_counter()
    finally:
        asked = time.perf_counter()
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
    return up - began, time.perf_counter() - asked


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return response.status == 200
    finally:
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    subprocess.run(["make", ".venv/demo"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    cold, warm, end = [], [], []
    for _ in range(options.repeats):
        folder = Path(tempfile.mkdtemp())
        try:
            cold.append(start_and_stop(folder / ".demo"))
            warm.append(start_and_stop(folder / ".demo"))
        finally:
            shutil.rmtree(folder)
        end += [cold[-1][1], warm[-1][1]]
    print(f"{os.cpu_count()} cores\n")
    print("| make demo | n | s, median (9 in 10) |")
    print("|---|---:|---:|")
    print(f"| from nothing, to the page | {len(cold)} | {spread([seconds for seconds, _ in cold])} |")
    print(f"| warm, to the page | {len(warm)} | {spread([seconds for seconds, _ in warm])} |")
    print(f"| Ctrl-C, to the end | {len(end)} | {spread(end)} |")


if __name__ == "__main__":
    main()

"""Measure `make demo` from its start to the page, and from Ctrl-C to its end: python -m benchmarks.startup.

The virtual environment exists already, so that nothing is downloaded. "From nothing" means without a data
folder.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.figures import spread
from benchmarks.ports import free_port
from benchmarks.processes import ROOT

#: Seconds that `make demo` may take to exit.
EXIT_SECONDS = 30


def start_and_stop(folder: Path) -> tuple[float, float]:
    """Return the seconds until the page answers, and those from Ctrl-C to the end."""
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
            assert process.poll() is None, f"make demo exited with code {process.returncode}"
            time.sleep(0.01)
        answered = time.perf_counter()
    finally:
        interrupted = time.perf_counter()
        os.killpg(process.pid, signal.SIGINT)
        process.wait(EXIT_SECONDS)
    return answered - began, time.perf_counter() - interrupted


def answers(port: int) -> bool:
    """Tell whether the page is there."""
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
    parser.add_argument("--repeats", type=int, default=10, help="starts from nothing, and warm; default: 10")
    options = parser.parse_args()
    subprocess.run(["make", ".venv/demo"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    cold: list[float] = []
    warm: list[float] = []
    end: list[float] = []
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            for starts in (cold, warm):
                seconds_to_page, seconds_to_end = start_and_stop(Path(folder) / ".demo")
                starts.append(seconds_to_page)
                end.append(seconds_to_end)
    print(f"{os.cpu_count()} cores\n")
    print("| make demo | n | s, median (9 in 10) |")
    print("|---|---:|---:|")
    print(f"| from nothing to the page | {len(cold)} | {spread(cold)} |")
    print(f"| warm start to the page | {len(warm)} | {spread(warm)} |")
    print(f"| Ctrl-C to the end | {len(end)} | {spread(end)} |")


if __name__ == "__main__":
    main()

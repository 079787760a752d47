"""Measure what a page's first view loads, and how long the server takes: python -m benchmarks.first_view.

The bytes are those of a Chromium with an empty cache, headers included, without the WebSocket. The time is
that of GET on one kept connection, while the rankings don't change. The CPU is that of the server's process,
which other work on the machine makes little longer.
"""

from __future__ import annotations

import argparse
import http.client
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.browser import chromium
from benchmarks.figures import spread
from benchmarks.processes import Server, daphne
from benchmarks.standin import migrated_standin, prepare_site

PAGES = {
    "the board": "/",
    "the board in German": "/?language=de",
    "the board, top 20": "/?top=20",
    "a ranking opened": "/rankings/states-by-turnover/",
    "a widget": "/embed/states-by-turnover/",
}


def first_view(browser: Any, url: str) -> tuple[int, int]:
    """Return how many requests a page makes until it is live, and their bytes."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    session = context.new_cdp_session(page)
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    session.send("Network.enable")
    page.goto(url)
    page.wait_for_selector("#badge[data-state=live]")
    page.wait_for_load_state("networkidle")
    context.close()
    return len(sizes), sum(sizes)


def server_milliseconds(site: Server, path: str, repeats: int) -> tuple[list[float], float]:
    """Return how long the server took for each of some requests, and its CPU for one."""
    connection = http.client.HTTPConnection(site.host, timeout=10)
    times = []
    process = psutil.Process(site.process.pid)
    before = process.cpu_times()
    for _ in range(repeats):
        began = time.perf_counter()
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        times.append((time.perf_counter() - began) * 1000)
        if response.status != 200:
            raise SystemExit(f"{path} answered {response.status}")
    connection.close()
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return times, used / repeats * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200, help="requests for a page; default: 200")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, migrated_standin():
        prepare_site(Path(folder), orders=100_000)
        with daphne({}, Path(folder) / "log") as site, chromium() as browser:
            print("| page | requests | kB | server, ms, median (9 in 10) | its CPU, ms |")
            print("|---|---:|---:|---:|---:|")
            for name, path in PAGES.items():
                requests, size = first_view(browser, site.url + path)
                times, used = server_milliseconds(site, path, options.repeats)
                figures = f"{requests} | {size / 1000:.1f} | {spread(times, 1)} | {used:.1f}"
                print(f"| {name}: `{path}` | {figures} |", flush=True)


if __name__ == "__main__":
    main()

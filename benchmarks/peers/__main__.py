"""Compare this dashboard with alternatives that show the same rankings: python -m benchmarks.peers.

The alternatives run one after the other on the same stand-in and rows, each in one process and in a virtual
environment of its own (.peers). The server has a core to itself; the viewers and PostgreSQL share the other.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

import psycopg2

from benchmarks.browser import chromium
from benchmarks.peers import environments, report
from benchmarks.peers.browser import browse
from benchmarks.peers.meters import QueryLog, on_core
from benchmarks.peers.peers import PEERS, Peer
from benchmarks.peers.trial import VIEWERS_CORE, Orders, Plan, Result, measure
from benchmarks.processes import CHROMIUM, ROOT
from benchmarks.standin import migrated_standin, prepare_site

DOCUMENT, PLOT = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "peers.svg"
RESULTS = environments.FOLDER / "results.json"
QUICK = Plan(
    repeats=1,
    idle_seconds=1,
    commits=2,
    spacing_seconds=1,
    connect_seconds=20,
    warm_up_seconds=0.5,
    page_commits=2,
)


def arguments() -> argparse.Namespace:
    names = [peer.name for peer in PEERS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="default: all")
    parser.add_argument("--viewers", type=int, nargs="+", help="numbers of viewers; default: 10 100 1000")
    parser.add_argument("--quick", action="store_true", help="few viewers for a few seconds: a try-out")
    parser.add_argument("--here", action="store_true", help="use this Python's environment instead of .peers")
    parser.add_argument("--write", action="store_true", help="write the tables and the plot to docs/")
    return parser.parse_args()


def run(
    options: argparse.Namespace, plan: Plan, stack: ExitStack
) -> tuple[list[str], dict[str, list[Result]]]:
    """Measure each peer with each number of viewers. Return how each was run, and the results by title."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    peers = [peer for peer in PEERS if peer.name in options.only]
    pythons = {
        peer: Path(sys.executable) if options.here else environments.python(peer.environment or peer.name)
        for peer in peers
    }
    stack.enter_context(on_core(VIEWERS_CORE))
    stack.enter_context(migrated_standin())
    prepare_site(folder, orders=100_000)
    connection = stack.enter_context(closing(psycopg2.connect(os.environ["RISINGWAVE_URL"])))
    connection.autocommit = True
    cursor = connection.cursor()
    queries, orders = QueryLog(cursor), Orders(cursor)
    counts = options.viewers or ([3] if options.quick else [10, 100, 1000])
    watch = partial(browse, stack.enter_context(chromium())) if CHROMIUM else None
    hows: list[str] = []
    results: dict[str, list[Result]] = {}
    for peer in peers:
        title, versions = name_with_versions(peer, pythons[peer])
        print(f"{title} ({versions}): {peer.how}", file=sys.stderr, flush=True)
        hows.append(f"- {title} ({versions}): {peer.how}.")
        results[title] = []
        for count in counts:
            print(f"  {count:,} ", end="", file=sys.stderr, flush=True)
            result = measure(
                peer,
                count,
                plan=plan,
                orders=orders,
                queries=queries,
                python=pythons[peer],
                log=folder / f"{peer.name}.log",
                browse=watch if count == counts[0] and peer.page else None,
            )
            results[title].append(result)
            print(file=sys.stderr, flush=True)
            if result.too_many:
                break
        if options.write:
            save(results)
    return hows, results


def name_with_versions(peer: Peer, python: Path) -> tuple[str, str]:
    """Return the peer's title, and the versions of its packages."""
    versions = environments.versions(python, peer.packages)
    name = f"{peer.title} {versions.pop(peer.packages[0])}" if peer.own_version else peer.title
    return name, ", ".join(f"{package} {version}" for package, version in versions.items())


def save(results: dict[str, list[Result]]) -> None:
    """Save the results so far, for the plot and in case a later peer fails."""
    data = {title: [asdict(result) for result in some] for title, some in results.items()}
    RESULTS.write_text(json.dumps(data))


def write(section: str) -> None:
    """Replace the section of docs/benchmarks.md, or append it, and draw the plot."""
    before, _, rest = DOCUMENT.read_text().partition(f"{report.TITLE}\n")
    _, heading, after = rest.partition("\n## ")
    DOCUMENT.write_text(f"{before.rstrip()}\n\n{section.rstrip()}\n{heading}{after}")
    command = [str(environments.python("plot")), "-m", "benchmarks.peers.plot", str(RESULTS), str(PLOT)]
    subprocess.run(command, cwd=ROOT, check=True)


def main() -> None:
    options = arguments()
    # As Ctrl-C does, so that the context managers stop what they started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = QUICK if options.quick else Plan()
    if options.write:
        environments.python("plot")
    with ExitStack() as stack:
        hows, results = run(options, plan, stack)
    section = report.section(hows, results, plan)
    print(section)
    if options.write:
        write(section)


if __name__ == "__main__":
    main()

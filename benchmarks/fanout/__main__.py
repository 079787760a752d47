"""Measure what it costs to send a change to thousands of subscribers: python -m benchmarks.fanout.

There is one stand-in and one server process at a time; this process is all of its subscribers. Each change is
an order inserted by SQL, so the figures include the read, the rendering and the sending. CPU is the server's
user and system time, divided by the frames that arrived; times are wall-clock times from the commit.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.fanout import delivery, freshness, restart, slow_readers
from benchmarks.fanout.site import SERVERS, Orders
from benchmarks.standin import migrated_standin, prepare_site

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES = ("delivery", "slow-readers", "freshness", "restart")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fanout", description=__doc__)
    parser.add_argument("--only", choices=TABLES, help="measure one table; default: all")
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS))
    parser.add_argument("--repeats", type=int, default=20, help="changes in each measurement; default: 20")
    for name, default, text in (
        ("--subscribers", [1000, 2000, 5000], "of each server"),
        ("--asgi", [1000], "of Daphne without live.servers.daphne"),
        ("--group", [1000, 2000], "of a Channels group"),
    ):
        parser.add_argument(
            name, type=int, nargs="*", default=default, help=f"subscribers {text}; default: {default}"
        )
    parser.add_argument(
        "--restart", type=int, default=2000, help="subscribers of the restarted server; default: 2000"
    )
    return parser.parse_args()


def tables(options: argparse.Namespace, folder: Path, orders: Orders) -> dict[str, tuple[str, Iterator[str]]]:
    """Return the tables by name: the head, and lines that are measured as they are consumed."""
    count, repeats = min(options.subscribers, default=1000), options.repeats
    servers = options.servers
    return {
        "delivery": (delivery.HEAD, delivery.lines(options, folder, orders)),
        # Before the table that inserts thousands of orders: it renames the states of all.
        "slow-readers": (
            slow_readers.HEAD,
            (
                slow_readers.line(server, folder, orders, repeats, slowness)
                for server in servers
                for slowness in slow_readers.READ_BYTES
            ),
        ),
        "freshness": (
            freshness.HEAD,
            (freshness.line(server, folder, orders, count, repeats) for server in servers),
        ),
        "restart": (
            restart.HEAD,
            (restart.line(server, folder, orders, options.restart) for server in servers),
        ),
    }


def main() -> None:
    options = arguments()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(migrated_standin())
        prepare_site(folder)
        orders = stack.enter_context(closing(Orders(os.environ["RISINGWAVE_URL"])))
        for name, (head, lines) in tables(options, folder, orders).items():
            if options.only in (None, name):
                print(head, re.sub(r"[^|]+", "---", head), sep="\n")
                for line in lines:
                    print(line, flush=True)
                print()


if __name__ == "__main__":
    main()

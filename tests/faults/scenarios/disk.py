"""The disk of the rankings' database is full."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.faults.environment import ENVIRONMENT
from tests.faults.judging import logs_are_short, nothing_is_lost
from tests.faults.lab import SkippedError
from tests.faults.scenario import scenario
from tests.faults.watched import watched
from tests.processes import ROOT, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.lab import Lab

#: Of the file system: a fresh data directory takes about 100 MB.
SIZE_MIB = 256
MAX_BACK_SECONDS = 10
#: What PostgreSQL says: strerror(ENOSPC).
NO_SPACE = "No space left on device"


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a small file system until the block ends. Raises SkippedError unless that is allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "faults", str(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        raise SkippedError(f"A file system can't be mounted: {mounted.stderr.strip()}. Run it as root.")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Fill a file system until the block ends."""
    filler = folder / "filler"
    try:
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, _free_bytes(folder))
        # Files of the server that grow take what was rounded down.
        yield
    finally:
        filler.unlink()


def _free_bytes(folder: Path) -> int:
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


@contextmanager
def generator(lab: Lab, url: str) -> Iterator[Path]:
    """Run `manage.py generate_orders` until the block ends; yield its log."""
    log = lab.folder / "generator.log"
    environment = os.environ | ENVIRONMENT | {"RISINGWAVE_URL": url}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "generate_orders", "--rate", "500"],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        yield log
        assert process.poll() is None, log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@scenario("Full while orders come in, and has space again later")
def disk_full(lab: Lab) -> None:
    folder = lab.folder / "disk"
    lab.stack.enter_context(small_disk(folder))
    users, rankings = lab.databases(folder=folder / "data")
    with watched(lab, users, rankings) as here:
        with generator(lab, rankings.url) as log:
            with full(folder):
                wait_until(
                    lambda: any(NO_SPACE in error for error in here.writer.errors),
                    lambda: str(here.writer.errors),
                )
                wait_until(lambda: NO_SPACE in log.read_text(), log.read_text)
            if rankings.server.process.poll() is not None:
                lab.note("the server", "had ended, and was started again")
                rankings.server.start()
            here.record_return(bound=MAX_BACK_SECONDS)
            wait_until(lambda: "again after" in log.read_text(), log.read_text)
        lab.note(
            "the generator says", next(line for line in log.read_text().splitlines() if NO_SPACE in line)
        )
        here.writer.end()
        own = rankings.query("SELECT sum(qty) FROM orders WHERE orderid < 0")
        assert own == here.writer.quantity, f"{own} of {here.writer.quantity} are there"
        # A generated order may have no number.
        generated = "FROM orders WHERE (orderid < 0) IS NOT TRUE"
        here.writer.add(
            rankings.query(f"SELECT count(*) {generated}"),
            rankings.query(f"SELECT sum(qty) {generated}"),
            rankings.query(f"SELECT sum((qty * price)::numeric) {generated}"),
        )
        nothing_is_lost(lab, here.site, here.writer)
        logs_are_short(lab, here.site)

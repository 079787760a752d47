"""What slow readers cost the server, and the readers beside them."""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from benchmarks.fanout.clients import Client, Clients
from benchmarks.fanout.site import STATES_PATH, Orders, ServerProcess, seconds_to_last, serve
from benchmarks.figures import quantile

if TYPE_CHECKING:
    from pathlib import Path

HEAD = (
    "| beside 200 readers | slow readers | are offered | memory, MiB | without them p50 / p99, ms "
    "| beside them p50 / p99, ms |"
)
READERS, SLOW_READERS = 200, 100
#: Bytes: the receive buffer of a slow reader, and what each of them is offered at least.
RECEIVE_BUFFER, OFFERED = 4096, 20_000_000
#: Bytes of a state's name while frames are large, and otherwise.
LONG_NAME, SHORT_NAME = 110_000, 14
#: How slow readers read: bytes after each change.
READ_BYTES = {"never read": 0, "trickle": 512}
#: Seconds between two changes. The feed gathers changes that follow each other within 0.25 s.
SPACING_SECONDS = 0.26


def line(server: str, folder: Path, orders: Orders, repeats: int, slowness: str) -> str:
    """Return one line of the table."""
    with serve(server, folder, settings="benchmarks.fanout.rapid_settings") as running:
        process = ServerProcess(running.process.pid)
        # An order changes both rankings: the slow readers get large frames, the others small ones.
        readers = Clients(running.host, "/ws/rankings/?rankings=products-by-turnover")
        sleepers, large = Clients(running.host, STATES_PATH), Clients(running.host, STATES_PATH)
        with closing(readers), closing(sleepers), closing(large):
            readers.open(READERS)
            orders.rename_states(LONG_NAME)
            # Without anyone who reads the large frames, the server wouldn't render them.
            [awake, *_] = large.open(10)
            stopped = threading.Event()
            thread = threading.Thread(target=large.run_until, args=(stopped.is_set, 600))
            thread.start()
            delivery_times(readers, orders, 3)
            memory, peak = process.memory(), 0.0
            frame = len(awake.last)
            # Fewer than the server sends within 30 s, after which it drops a client that takes nothing.
            changes = max(OFFERED // frame + 1, repeats)
            before = delivery_times(readers, orders, changes)
            slow = [sleepers.connect(receive_buffer=RECEIVE_BUFFER) for _ in range(SLOW_READERS)]
            for client in slow:
                sleepers.forget(client)
            readers.run(1)
            beside: list[float] = []
            for _ in range(changes):
                beside += delivery_times(readers, orders, 1)
                for client in slow:
                    read_a_little(client, READ_BYTES[slowness])
                peak = max(peak, process.memory() - memory)
            stopped.set()
            thread.join()
            orders.rename_states(SHORT_NAME)
    return (
        f"| {server} | {slowness} | {SLOW_READERS} × {(len(beside) * frame) / 1e6:.0f} MB | {peak / 1024:.1f}"
        f" | {quantile(before, 0.5):.0f} / {quantile(before, 0.99):.0f}"
        f" | {quantile(beside, 0.5):.0f} / {quantile(beside, 0.99):.0f} |"
    )


def delivery_times(clients: Clients, orders: Orders, repeats: int) -> list[float]:
    """Return the milliseconds from each of `repeats` commits to the last of the clients."""
    times = []
    for _ in range(repeats):
        times.append(seconds_to_last(clients, orders, len(clients.by_fd)) * 1000)
        clients.run(SPACING_SECONDS)
    return times


def read_a_little(client: Client, size: int) -> None:
    """Read up to `size` bytes, if there are any."""
    assert client.socket is not None
    with suppress(OSError):  # nothing to read, or the server has closed the connection
        client.socket.recv(size)

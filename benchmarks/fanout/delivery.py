"""What a delivery to one subscriber costs the server, and when the last of them has it."""

from __future__ import annotations

import os
import random
import secrets
from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks.fanout.clients import Clients
from benchmarks.fanout.site import STATES_PATH, Orders, ServerProcess, seconds_to_last, serve
from benchmarks.figures import quantile
from live.conf import live_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks import processes

HEAD = (
    "| | subscribers | CPU per delivery, µs | last subscriber p50, ms | p95, ms | memory per subscriber, KiB "
    "| CPU per handshake, ms | frame, bytes |"
)
#: Subscribers that connect before the measurement begins, so that what is made once has been made.
FIRST = 10
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


def lines(options: argparse.Namespace, folder: Path, orders: Orders) -> Iterator[str]:
    """Measure each server with each number of subscribers, for visitors who are logged in."""
    os.environ["LIVE_OPEN"] = "false"
    # Where there are more subscribers than sessions, some share a session.
    cookies = log_in(max(options.subscribers))
    for server in options.servers:
        for count in options.subscribers:
            with serve(server, folder) as running:
                yield line(server, running, orders, count, options.repeats, cookies)
    for count in options.asgi:
        with serve("Daphne", folder, "benchmarks.fanout.asgi:application") as running:
            yield line("Daphne, ASGI alone", running, orders, count, options.repeats, cookies)
    for count in options.group:
        with serve("Daphne", folder, "benchmarks.fanout.group:application") as running:
            yield line("Daphne, Channels group", running, orders, count, options.repeats // 2, [])
    os.environ["LIVE_OPEN"] = "true"


def line(
    name: str, running: processes.Server, orders: Orders, count: int, repeats: int, cookies: list[str]
) -> str:
    """Return one line of the table."""
    process = ServerProcess(running.process.pid)
    clients = Clients(
        running.host, STATES_PATH, lambda opened: cookies[opened % len(cookies)] if cookies else ""
    )
    with closing(clients):
        clients.open(FIRST)
        clients.run(1)
        memory, cpu = process.memory(), process.cpu()
        clients.open(count - FIRST)
        handshake = (process.cpu() - cpu) / (count - FIRST)
        # Every subscriber has had a card by now. Two more fill every cache and buffer.
        for _ in range(2):
            seconds_to_last(clients, orders, count)
            clients.run(0.1 + live_settings.UPDATE_SECONDS)
        memory = (process.memory() - memory) / (count - FIRST)
        cpu, frames, times = process.cpu(), clients.frames, []
        for _ in range(repeats):
            times.append(seconds_to_last(clients, orders, count) * 1000)
            clients.run(random.uniform(0.1, 0.3) + live_settings.UPDATE_SECONDS)
        cost = (process.cpu() - cpu) / (clients.frames - frames) * 1e6
        size = len(next(iter(clients.by_fd.values())).last)
    return (
        f"| {name} | {count:,} | {cost:.1f} | {quantile(times, 0.5):.0f} | {quantile(times, 0.95):.0f}"
        f" | {memory:.1f} | {handshake * 1000:.2f} | {size:,} |"
    )


def log_in(count: int) -> list[str]:
    """Create `count` sessions of one user, and return their cookies."""
    import django  # noqa: PLC0415 - the settings need the stand-in's URL

    django.setup()
    from datetime import timedelta  # noqa: PLC0415

    from django.conf import settings  # noqa: PLC0415
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: PLC0415
    from django.contrib.auth.models import User  # noqa: PLC0415
    from django.contrib.sessions.backends.db import SessionStore  # noqa: PLC0415
    from django.contrib.sessions.models import Session  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    user = User.objects.create_user("ann", password="a-good-password")
    data = SessionStore().encode(
        {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: MODEL_BACKEND,
            HASH_SESSION_KEY: user.get_session_auth_hash(),
        }
    )
    keys = [secrets.token_hex(16) for _ in range(count)]
    expires = timezone.now() + timedelta(days=1)
    Session.objects.bulk_create(
        Session(session_key=key, session_data=data, expire_date=expires) for key in keys
    )
    connections.close_all()
    return [f"{settings.SESSION_COOKIE_NAME}={key}" for key in keys]

"""What answering a poll costs, from memory and from the database: python -m benchmarks.polling.

One Daphne and one client, which asks again and again on one connection. The view is timed inside the process,
all that decides who may look included; the whole request is the client's time, through Daphne and Django's
middleware. "Afresh" is what there would be without the hub: the same cards, read and rendered for each poll.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import daphne
from benchmarks.server import ROOT, manage, migrated_standin, spread

if TYPE_CHECKING:
    from benchmarks.processes import Server

#: A session of a user, as a login would make it.
LOG_IN = """
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
user = get_user_model().objects.create_user("ann")
session = SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.save()
print(session.session_key)
"""


def log_in() -> str:
    """The session's key."""
    command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", LOG_IN]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def measure(site: Server, path: str, headers: dict[str, str], status: int, repeats: int) -> str:
    """Median and spread of the view, median of the request, both in µs, and the one's share of the other."""
    inside, whole = [], []
    with closing(HTTPConnection(site.host, timeout=20)) as client:
        for number in range(repeats + repeats // 10):
            began = time.perf_counter()
            client.request("GET", path, headers=headers)
            answer = client.getresponse()
            answer.read()
            took = (time.perf_counter() - began) * 1e6
            if answer.status != status:
                raise SystemExit(f"{path} answered {answer.status}, not {status}")
            if number >= repeats // 10:  # The first are for warming up.
                whole.append(took)
                inside.append(float(answer.headers["View-Microseconds"]))
    share = statistics.median(inside) / statistics.median(whole) * 100
    return f"{spread(inside, 0)} | {statistics.median(whole):,.0f} | {share:.0f} %"


def tag(site: Server, headers: dict[str, str]) -> str:
    """That of the cards as they are, once they have been read."""
    with closing(HTTPConnection(site.host, timeout=20)) as client:
        client.request("GET", "/partials/rankings/", headers=headers)
        return str(client.getresponse().headers["HX-PTag"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2_000)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(migrated_standin())
        os.environ["STATIC_ROOT"] = str(folder / "static")
        manage("migrate", "--verbosity", "0")
        manage("collectstatic", "--no-input", "--verbosity", "0")
        manage("generate_orders", "--count", "100000", "--verbosity", "0")
        login = {"Cookie": f"sessionid={log_in()}"}
        print("| a poll | answer | in the view, µs (9 in 10) | whole request, µs | share |")
        print("|---|---|---:|---:|---:|")
        both: tuple[tuple[bool, dict[str, str]], ...] = (True, {}), (False, login)
        for is_open, headers in both:
            environment, application = {"LIVE_OPEN": str(is_open)}, "benchmarks.polled:application"
            site = stack.enter_context(daphne(environment, folder / "log", application=application))
            name = "open to all" if is_open else "for those logged in"
            known = headers | {"HX-Request": "true", "HX-PTag": tag(site, headers)}
            for path, sent, status, answer in (
                ("/partials/rankings/", known, 304, "304 from memory"),
                ("/partials/rankings/", headers, 200, "200 from memory"),
                ("/afresh/", headers, 200, "200 afresh"),
            ):
                cells = measure(site, path, sent, status, options.repeats)
                print(f"| {name} | {answer} | {cells} |", flush=True)


if __name__ == "__main__":
    main()

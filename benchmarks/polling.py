"""Measure the answer to a poll, from memory and from the database: python -m benchmarks.polling.

One client polls one Daphne on one connection. The time in the view is measured inside the process, and
includes the check of who may look; the time of the whole request is the client's, through Daphne and Django's
middleware. "From the database" is the alternative without the hub: the same cards, read and rendered for each
poll.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.figures import spread
from benchmarks.processes import ROOT, Server, daphne
from benchmarks.standin import migrated_standin, prepare_site

APPLICATION = "benchmarks.polling_application:application"
#: Creates a session as a login does, and prints its key.
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
    """Return the key of a new session."""
    command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", LOG_IN]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def measure(site: Server, path: str, headers: dict[str, str], status: int, repeats: int) -> str:
    """Return the µs in the view, the µs of the request, and the view's share. Exits if `status` differs."""
    in_view, whole = [], []
    warm_up = repeats // 10
    with closing(HTTPConnection(site.host, timeout=20)) as client:
        for number in range(warm_up + repeats):
            began = time.perf_counter()
            client.request("GET", path, headers=headers)
            response = client.getresponse()
            response.read()
            took = (time.perf_counter() - began) * 1e6
            if response.status != status:
                raise SystemExit(f"{path} answered {response.status} instead of {status}.")
            if number >= warm_up:
                whole.append(took)
                in_view.append(float(response.headers["View-Microseconds"]))
    share = statistics.median(in_view) / statistics.median(whole) * 100
    return f"{spread(in_view, 0)} | {statistics.median(whole):,.0f} | {share:.0f} %"


def ptag(site: Server, headers: dict[str, str]) -> str:
    """Return the tag of the current cards. A poll that names it is answered with 304."""
    with closing(HTTPConnection(site.host, timeout=20)) as client:
        client.request("GET", "/partials/rankings/", headers=headers)
        return str(client.getresponse().headers["HX-PTag"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2_000, help="polls of each kind; default: 2,000")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, migrated_standin():
        folder = Path(temporary)
        prepare_site(folder, orders=100_000)
        login = {"Cookie": f"sessionid={log_in()}"}
        print("| a poll | answer | in the view, µs (9 in 10) | whole request, µs | share |")
        print("|---|---|---:|---:|---:|")
        visitors: tuple[tuple[bool, dict[str, str]], ...] = (True, {}), (False, login)
        for is_open, headers in visitors:
            environment = {"LIVE_OPEN": str(is_open)}
            name = "open to everyone" if is_open else "only for users who are logged in"
            with daphne(environment, folder / "log", application=APPLICATION) as site:
                known = headers | {"HX-Request": "true", "HX-PTag": ptag(site, headers)}
                for path, sent, status, answer in (
                    ("/partials/rankings/", known, 304, "304 from memory"),
                    ("/partials/rankings/", headers, 200, "200 from memory"),
                    ("/from-database/", headers, 200, "200 from the database"),
                ):
                    cells = measure(site, path, sent, status, options.repeats)
                    print(f"| {name} | {answer} | {cells} |", flush=True)


if __name__ == "__main__":
    main()

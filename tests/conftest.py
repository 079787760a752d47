from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from demo import postgres
from demo.shop.models import Order
from tests import processes
from tests.browser import browser, context, page  # noqa: F401 - fixtures of all tests
from tests.django_risingwave.watch import Watch
from tests.settings import STANDIN_FOLDER
from tests.standins import migrated_template, own_standin  # noqa: F401 - fixtures of all tests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.processes import Server

# Before the test databases are created, so that their statements are checked too.
_watch = Watch()
_watch.start()

#: Gives a test both databases.
BOTH = pytest.mark.django_db(transaction=True, databases=["default", "risingwave"])
#: Where a run keeps its temporary files, if nobody has named another folder.
OWN_FOLDER = pytest.StashKey[Path]()

#: Programs that tests need, by the mark of these tests.
PROGRAMS = {"browser": ("chromium", processes.CHROMIUM), "nginx": ("nginx", processes.NGINX)}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give each run a folder of its own for temporary files, which is deleted if all tests pass.

    Runs that share pytest's folder disturb each other: each makes it private for its user again, and the
    servers that root's tests start there run as another user.
    """
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="tests-")
        config.stash[OWN_FOLDER] = Path(config.option.basetemp)


def pytest_sessionfinish(session: pytest.Session) -> None:
    folder = session.config.stash.get(OWN_FOLDER, None)
    if folder and not session.testsfailed:
        session.config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The backend's many quick files come last, so that all workers stay busy until the end.
    items.sort(key=lambda item: item.nodeid.startswith("tests/django_risingwave/"))
    if os.environ.get("REQUIRE_PROGRAMS"):
        return
    for item in items:
        for mark, (program, path) in PROGRAMS.items():
            if item.get_closest_marker(mark) and path is None:
                item.add_marker(pytest.mark.skip(reason=f"no {program} found"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for program, _ in PROGRAMS.values():
        missed = [
            report.nodeid
            for report in terminalreporter.stats.get("skipped", [])
            if f"no {program} found" in str(report.longrepr)
        ]
        if missed:
            terminalreporter.section(f"NOT TESTED WITH {program.upper()}", sep="!", red=True, bold=True)
            terminalreporter.line(f"No {program} was found, so these tests did not run:")
            for nodeid in missed:
                terminalreporter.line(f"  {nodeid}")
            terminalreporter.line(f"Install it (Debian: apt install {program}) and run them again.")


@pytest.fixture(scope="session", autouse=True)
def standin_server() -> Iterator[None]:
    """Run the stand-in of this process while it runs tests."""
    server = postgres.start(STANDIN_FOLDER)
    yield
    server.stop()


@pytest.fixture(autouse=True)
def watch(request: pytest.FixtureRequest) -> Iterator[Watch]:
    """Fail a test that sent the alias `risingwave` what RisingWave would refuse."""
    yield _watch
    refused = _watch.take(request.module.__name__)
    assert not refused, "RisingWave would refuse:\n" + "\n".join(refused)


@pytest.fixture(scope="session")
def chromium() -> str:
    assert processes.CHROMIUM, "REQUIRE_PROGRAMS is set, but no Chromium was found. Install it."
    return processes.CHROMIUM


@pytest.fixture(scope="session")
def nginx_program() -> str:
    assert processes.NGINX, "REQUIRE_PROGRAMS is set, but no nginx was found. Install it."
    return processes.NGINX


@pytest.fixture
def orders(transactional_db: None) -> Iterator[Callable[..., None]]:
    """An empty table; call it with rows (itemid, qty, price, state) to insert them in one statement."""

    def insert(*rows: tuple[int | None, int | None, float | None, str | None]) -> None:
        Order.objects.bulk_create(
            Order(orderid=1, itemid=itemid, qty=qty, price=price, state=state)
            for itemid, qty, price, state in rows
        )

    Order.objects.all().delete()
    yield insert
    Order.objects.all().delete()


@pytest.fixture(scope="session")
def site_environment(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a server on the test databases."""
    static_root = tmp_path_factory.mktemp("static")
    environment = {
        "DATABASE_URL": processes.database_url(connections["default"]),
        "RISINGWAVE_URL": processes.database_url(connections["risingwave"]),
        "STATIC_ROOT": str(static_root),
    } | processes.changed()
    settings.STATIC_ROOT = static_root
    call_command("collectstatic", interactive=False, verbosity=0)
    return environment


@pytest.fixture(scope="session")
def server(site_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The dashboard, open to all, on a real Daphne."""
    log = tmp_path_factory.mktemp("server") / "log"
    with processes.daphne(site_environment, log) as running:
        yield running


@pytest.fixture(scope="session")
def closed_server(
    site_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The dashboard, for those who have logged in."""
    log = tmp_path_factory.mktemp("closed-server") / "log"
    with processes.daphne(site_environment | {"LIVE_OPEN": "false"}, log) as running:
        yield running

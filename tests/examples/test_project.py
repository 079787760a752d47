"""The example project, with the built wheel in a fresh environment: what somebody else's project gets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from demo import postgres
from tests.live.test_browser import browser, context, page, patience  # noqa: F401
from tests.processes import ROOT, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.browser
RANKING = "#ranking-top-books"
TABLES = (
    "from django.db import connections;"
    "print(connections['risingwave'].introspection.table_names(include_views=True))"
)
#: As Django's own runserver, which the settings replace by Daphne's.
WSGI = """
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server
from django.contrib.staticfiles.handlers import StaticFilesHandler
from website.wsgi import application
class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
make_server("127.0.0.1", {port}, StaticFilesHandler(application), server_class=Server).serve_forever()
"""


class Project:
    """The example in a folder of its own, with a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.python = folder / "venv" / "bin" / "python"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DJANGO_", "PYTHON", "LIVE_", "DATABASE_URL"))
        }

    def manage(self, *arguments: str) -> str:
        ended = subprocess.run(
            [self.python, "manage.py", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    @contextmanager
    def serve(self, *arguments: str) -> Iterator[str]:
        """Run a server until the block ends; it answers when the block begins. Yields its URL."""
        port = free_port()
        log = self.folder / "log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [self.python, *(argument.format(port=port) for argument in arguments)],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                with urllib.request.urlopen(f"{url}/", timeout=5):
                    return True
            except OSError:
                return False

        try:
            wait_until(answers, log.read_text, 60)
            yield url
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("example")
    project = Project(folder)
    shutil.copytree(ROOT / "examples" / "project", project.folder)
    # Not uv, which an environment of the matrix tells to insist on hashes.
    run(sys.executable, "-m", "venv", folder / "venv")
    pip = (project.python, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT)
    [wheel] = folder.glob("*.whl")
    install = (*pip, "install", "--constraint", constraints(folder))
    run(*install, f"risingwave-django[live,psycopg2] @ {wheel.as_uri()}")
    server = postgres.start(folder / "postgres")
    try:
        project.environment["RISINGWAVE_URL"] = postgres.url("risingwave", folder / "postgres")
        project.manage("migrate", "--verbosity", "0")
        project.manage("migrate", "--database", "risingwave", "--verbosity", "0")
        yield project
    finally:
        server.stop()


def run(*command: object) -> None:
    ended = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr


def constraints(folder: Path) -> Path:
    """The locked versions, as constraints, which have no hashes."""
    locked = (ROOT / "requirements" / "demo.txt").read_text()
    file = folder / "constraints.txt"
    file.write_text("\n".join(re.findall(r"^[\w.-]+==[^\s\\]+(?: ;[^\\\n]*)?", locked, flags=re.MULTILINE)))
    return file


def test_it_is_the_wheel_and_brings_nothing_of_the_demo(project):
    where = project.manage("shell", "--command", "import live; print(live.__file__)")
    assert str(project.python.parent.parent) in where
    assert "no issues" in project.manage("check", "--database", "default", "--database", "risingwave")
    tables = project.manage("shell", "--command", TABLES)
    assert "book_loans" in tables
    assert "orders" not in tables
    assert "generate_orders" not in project.manage("help")


def test_the_ranking_is_live_in_a_page_of_the_project(project, page: Page, tmp_path):  # noqa: F811
    with project.serve("manage.py", "runserver", "--noreload", "127.0.0.1:{port}") as url:
        polls: list[str] = []
        sockets: list[str] = []
        page.on("request", lambda request: polls.append(request.url) if "/partials/" in request.url else None)
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.goto(url)
        expect(page.locator(RANKING)).to_contain_text("Nothing yet")
        page.evaluate("window.mark = 'not reloaded'")
        borrow(project, "Moby-Dick", "Moby-Dick", "Middlemarch")
        expect(page.locator(f"{RANKING} .live-row").first).to_contain_text("Moby-Dick")
        expect(page.locator(f"{RANKING} .live-row")).to_have_count(2)
        assert page.evaluate("window.mark") == "not reloaded"
        assert len(sockets) == 1
        assert len(polls) <= 2
        # The page's own form, and then the first paint from memory.
        page.get_by_role("button", name="Borrow The Castle").click()
        expect(page.locator(RANKING)).to_contain_text("The Castle")
        with urllib.request.urlopen(url) as answer:
            assert "Moby-Dick</span>" in answer.read().decode()
        page.screenshot(path=os.environ.get("SCREENSHOT", tmp_path / "project.png"))


def test_under_wsgi_the_page_polls_from_memory(project, page: Page):  # noqa: F811
    with project.serve("-c", WSGI) as url:
        page.goto(url)
        with page.expect_response(lambda response: "/partials/" in response.url and response.status == 304):
            pass
        borrow(project, *["Middlemarch"] * 5)
        expect(page.locator(f"{RANKING} .live-row").first).to_contain_text("Middlemarch")
        with urllib.request.urlopen(url) as answer:
            assert "Middlemarch</span>" in answer.read().decode()


def borrow(project: Project, *books: str) -> None:
    code = f"from library.models import Loan; [Loan.objects.create(book=book) for book in {books!r}]"
    project.manage("shell", "--command", code)

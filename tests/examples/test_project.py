"""The example project runs on the built wheel in a fresh environment, as any other project would."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from demo import postgres
from tests.environments import Project, build_wheel, create_environment, environ, read
from tests.processes import ROOT
from tests.test_docs import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.browser
RANKING = "#ranking-top-books"
TABLES = (
    "from django.db import connections;"
    "print(connections['risingwave'].introspection.table_names(include_views=True))"
)
#: Serves the project as Django's own runserver does. Daphne, in INSTALLED_APPS, replaces that command.
WSGI = """
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server
from django.contrib.staticfiles.handlers import StaticFilesHandler
from website.wsgi import application
class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
make_server("127.0.0.1", {port}, StaticFilesHandler(application), server_class=Server).serve_forever()
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Copy the example into a folder of its own, with a database of its own."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(ROOT / "examples" / "project", folder / "project")
    data = folder / "postgres"
    package = f"risingwave-django[live,psycopg2] @ {build_wheel(folder).as_uri()}"
    python = create_environment(folder / "venv", package, "django-csp", "djangorestframework>=3.16,<4")
    project = Project(folder / "project", python, environ())
    server = postgres.start(data)
    try:
        address = urlsplit(postgres.url("risingwave", data))
        project.environment |= {
            "RISINGWAVE_HOST": parse_qs(address.query)["host"][0],
            "RISINGWAVE_PORT": "",
            "RISINGWAVE_USER": address.username or "",
            "RISINGWAVE_NAME": "risingwave",
        }
        project.manage("migrate", "--verbosity", "0")
        project.manage("migrate", "--database", "risingwave", "--verbosity", "0")
        yield project
    finally:
        server.stop()


def test_the_project_runs_on_the_wheel_and_gets_nothing_of_the_demo(project):
    where = project.manage("shell", "--command", "import live; print(live.__file__)")
    assert str(project.python.parent.parent) in where
    assert "no issues" in project.manage("check", "--database", "default", "--database", "risingwave")
    assert "No changes detected" in project.manage("makemigrations", "--check", "--dry-run")
    tables = project.manage("shell", "--command", TABLES)
    assert "book_loans" in tables
    assert "orders" not in tables
    assert "generate_orders" not in project.manage("help")


def test_a_page_of_the_project_shows_a_live_ranking(project, page: Page, tmp_path):
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
        # The project's own form works; the first paint comes from memory.
        page.get_by_role("button", name="Borrow The Castle").click()
        expect(page.locator(RANKING)).to_contain_text("The Castle")
        assert "Moby-Dick</span>" in read(url)
        page.screenshot(path=os.environ.get("SCREENSHOT", tmp_path / "project.png"))


def test_under_wsgi_the_page_polls_and_is_answered_from_memory(project, page: Page):
    with project.serve("-c", WSGI) as url:
        page.goto(url)
        with page.expect_response(lambda response: "/partials/" in response.url and response.status == 304):
            pass
        borrow(project, *["Middlemarch"] * 5)
        expect(page.locator(f"{RANKING} .live-row").first).to_contain_text("Middlemarch")
        assert "Middlemarch</span>" in read(url)


#: The view set of docs/backend/models.md, and one that offers to change what it shows.
API = """
class Writable(viewsets.ModelViewSet):
    queryset = BookLoans.objects.all()
    serializer_class = BookLoansSerializer

from django.urls import include, path
from rest_framework.routers import SimpleRouter

router = SimpleRouter()
router.register("loans", BookLoansViewSet)
router.register("writable", Writable, basename="writable")
urlpatterns = [path("", include(router.urls))]
"""
REQUESTS = """
from django.test import Client
from library.models import Loan

Loan.objects.create(book="Emma")
client = Client(HTTP_HOST="localhost")
print(client.get("/loans/Emma/").json())
for request in (client.post, client.put, client.patch, client.delete):
    print(request("/loans/", {"book": "X", "loans": 1}, content_type="application/json").status_code)
try:
    client.post("/writable/", {"book": "X", "loans": 1}, content_type="application/json")
except Exception as error:
    print(error)
"""


def test_django_rest_framework_shows_a_view_and_changes_nothing(project):
    (shown,) = [code for code in blocks("docs/backend/models.md", "python") if "rest_framework" in code]
    for here, there in (
        ("shop.models", "library.models"),
        ("StateTurnover", "BookLoans"),
        ('"state", "turnover"', '"book", "loans"'),
        ('"-turnover"', '"-loans"'),
    ):
        assert here in shown
        shown = shown.replace(here, there)
    (project.folder / "library" / "api.py").write_text(shown + API)
    settings = "from website.settings import *\nROOT_URLCONF = 'library.api'\n"
    (project.folder / "website" / "api_settings.py").write_text(settings)
    printed = project.manage("shell", "--settings", "website.api_settings", "--command", REQUESTS)
    *answers, refusal = printed.splitlines()[-6:]
    assert answers == ["{'book': 'Emma', 'loans': 1}", *["405"] * 4]
    assert refusal.startswith("library.BookLoans is read-only: create() would change rows")


def borrow(project: Project, *books: str) -> None:
    code = f"from library.models import Loan; [Loan.objects.create(book=book) for book in {books!r}]"
    project.manage("shell", "--command", code)

"""The example project runs on the built wheel in a fresh environment, as any other project would."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from django_risingwave import embedded
from tests.environments import Project, build_wheel, create_environment, environ, read
from tests.processes import ROOT
from tests.test_docs import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.browser
RANKING = "#ranking-top-products"
TABLES = (
    "from django.db import connections;"
    "print(connections['risingwave'].introspection.table_names(include_views=True))"
)
DATABASES = (
    "from django.db import connection;"
    "cursor = connection.cursor();"
    "cursor.execute('SELECT datname FROM pg_database');"
    "print(cursor.fetchall())"
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
    """Copy the example into a folder of its own, and follow its README.

    The commands start the databases. Between them the server runs on, which saves half a second each.
    """
    folder = tmp_path_factory.mktemp("example")
    ignored = shutil.ignore_patterns("postgres")
    shutil.copytree(ROOT / "examples" / "project", folder / "project", ignore=ignored)
    install, *commands, serve = blocks("examples/project/README.md", "sh")[0].splitlines()
    _, extras, _ = install.split('"')
    package = f"{extras} @ {build_wheel(folder).as_uri()}"
    python = create_environment(folder / "venv", package, "django-csp", "djangorestframework>=3.16,<4")
    project = Project(folder / "project", python, environ())
    assert serve == "python manage.py runserver"
    for command in commands:
        assert command.startswith("python manage.py ")
        project.manage(*shlex.split(command)[2:])
    data = project.folder / "postgres"
    assert not embedded.is_running(data)
    server = embedded.start(data)
    try:
        yield project
    finally:
        server.stop()


def test_the_project_runs_on_the_wheel_and_gets_nothing_of_the_demo(project):
    where = project.manage("shell", "--command", "import live; print(live.__file__)")
    assert str(project.python.parent.parent) in where
    assert "no issues" in project.manage("check", "--database", "default", "--database", "risingwave")
    assert "No changes detected" in project.manage("makemigrations", "--check", "--dry-run")
    tables = project.manage("shell", "--command", TABLES)
    assert "product_sales" in tables
    assert "'orders'" not in tables
    assert "generate_orders" not in project.manage("help")


def test_the_tests_of_the_project_pass_and_leave_no_database(project):
    """Mirrors keep test databases from being dropped until their replication has ended."""
    project.manage("test", "--no-input")
    assert "test_" not in project.manage("shell", "--command", DATABASES)


def test_a_page_of_the_project_shows_a_live_ranking(project, page: Page, tmp_path):
    with project.serve("manage.py", "runserver", "--noreload", "127.0.0.1:{port}") as url:
        polls: list[str] = []
        sockets: list[str] = []
        page.on("request", lambda request: polls.append(request.url) if "/partials/" in request.url else None)
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.goto(url)
        expect(page.locator(RANKING)).to_contain_text("No rows yet")
        page.evaluate("window.mark = 'not reloaded'")
        order(project, "Green tea", "Green tea", "Coffee")
        expect(page.locator(f"{RANKING} .live-row").first).to_contain_text("Green tea")
        expect(page.locator(f"{RANKING} .live-row")).to_have_count(2)
        assert page.evaluate("window.mark") == "not reloaded"
        assert len(sockets) == 1
        assert len(polls) <= 2
        # The project's own form works; the first paint comes from memory.
        page.get_by_role("button", name="Order Oat milk").click()
        expect(page.locator(RANKING)).to_contain_text("Oat milk")
        assert ">Green tea<" in read(url)
        page.screenshot(path=os.environ.get("SCREENSHOT", tmp_path / "project.png"))


def test_under_wsgi_the_page_polls_and_is_answered_from_memory(project, page: Page):
    with project.serve("-c", WSGI) as url:
        page.goto(url)
        with page.expect_response(lambda response: "/partials/" in response.url and response.status == 304):
            pass
        order(project, *["Coffee"] * 5)
        expect(page.locator(f"{RANKING} .live-row").first).to_contain_text("Coffee")
        assert ">Coffee<" in read(url)


#: The view set of docs/backend/models.md, and one that offers to change what it shows.
API = """
class Writable(viewsets.ModelViewSet):
    queryset = ProductSales.objects.all()
    serializer_class = ProductSalesSerializer

from django.urls import include, path
from rest_framework.routers import SimpleRouter

router = SimpleRouter()
router.register("sales", ProductSalesViewSet)
router.register("writable", Writable, basename="writable")
urlpatterns = [path("", include(router.urls))]
"""
REQUESTS = """
from django.test import Client
from django_risingwave.streaming.mirrors import wait_until_mirrored
from shop.models import Order, Product

Order.objects.create(product=Product.objects.create(name="Emma"))
wait_until_mirrored()
client = Client(HTTP_HOST="localhost")
print(client.get("/sales/Emma/").json())
for request in (client.post, client.put, client.patch, client.delete):
    print(request("/sales/", {"product": "X", "sold": 1}, content_type="application/json").status_code)
try:
    client.post("/writable/", {"product": "X", "sold": 1}, content_type="application/json")
except Exception as error:
    print(error)
"""


def test_django_rest_framework_shows_a_view_and_changes_nothing(project):
    (shown,) = [code for code in blocks("docs/backend/models.md", "python") if "rest_framework" in code]
    for here, there in (
        ("StateTurnover", "ProductSales"),
        ('"state", "turnover"', '"product", "sold"'),
        ('"-turnover"', '"-sold"'),
    ):
        assert here in shown
        shown = shown.replace(here, there)
    (project.folder / "shop" / "api.py").write_text(shown + API)
    settings = "from website.settings import *\nROOT_URLCONF = 'shop.api'\n"
    (project.folder / "website" / "api_settings.py").write_text(settings)
    printed = project.manage("shell", "--settings", "website.api_settings", "--command", REQUESTS)
    *answers, refusal = printed.splitlines()[-6:]
    assert answers == ["{'product': 'Emma', 'sold': 1}", *["405"] * 4]
    assert refusal.startswith("shop.ProductSales is read-only: create() would change rows")


def order(project: Project, *products: str) -> None:
    code = (
        "from shop.models import Order, Product;"
        f"[Order.objects.create(product=Product.objects.get(name=name)) for name in {products!r}]"
    )
    project.manage("shell", "--command", code)

"""What `make board` does: a board on a server of somebody else, where it may read and nothing else."""

from __future__ import annotations

import http.cookiejar
import json
import re
import urllib.parse
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import pytest

from demo import postgres
from tests.demo.running import Demo
from tests.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Theirs:
    """A server in RisingWave's place, with a view and a user who may only read it."""

    def __init__(self, folder: Path) -> None:
        self.server = postgres.start(folder)
        self.url = re.sub("//[^:@]*", "//reader", postgres.url("risingwave", folder), count=1)
        self.execute(
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
            "CREATE TABLE visits (page text, visits int)",
            "INSERT INTO visits VALUES ('/', 70), ('/pricing', 20), ('/docs', 40)",
            "CREATE MATERIALIZED VIEW pages AS SELECT page, sum(visits) AS visits FROM visits GROUP BY page",
            "CREATE ROLE reader LOGIN",
            "GRANT SELECT ON pages TO reader",
        )
        self.before = self.relations()

    def execute(self, *statements: str) -> None:
        with closing(psycopg2.connect(self.server.get_uri("risingwave"))) as connection:
            connection.autocommit = True
            for statement in statements:
                connection.cursor().execute(statement)

    def relations(self) -> list[str]:
        query = "SELECT relnamespace::regnamespace || '.' || relname FROM pg_class ORDER BY 1"
        with (
            closing(psycopg2.connect(self.server.get_uri("risingwave"))) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(query)
            return [name for (name,) in cursor.fetchall()]


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Theirs]:
    theirs = Theirs(tmp_path / "theirs")
    yield theirs
    theirs.server.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """A function that starts a board in a new folder."""
    started = []

    def start(**environment: str) -> Demo:
        started.append(Demo(tmp_path / ".demo", arguments="--board", **environment))
        return started[-1]

    yield start
    for board in started:
        if board.process.poll() is None:
            board.process.terminate()
            board.wait_for_end()


class Visitor:
    """A browser without scripts."""

    def __init__(self, board: Demo) -> None:
        self.base = f"http://127.0.0.1:{board.port}"
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies))

    def get(self, path: str) -> str:
        with self._opener.open(self.base + path, timeout=60) as response:
            return str(response.read().decode())

    def post(self, path: str, **fields: str) -> str:
        token = next(cookie.value for cookie in self._cookies if cookie.name == "csrftoken")
        body = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": str(token)}).encode()
        request = urllib.request.Request(self.base + path, body, {"Referer": self.base})
        with self._opener.open(request, timeout=60) as response:
            return str(response.read().decode())


def test_a_user_who_may_only_read_gets_a_board_and_nothing_is_written_there(theirs, start):
    board = start(RISINGWAVE_URL=theirs.url).wait_until_up()
    assert "Add one " in board.output()
    assert "Inserting" not in board.output()
    visitor = Visitor(board)
    assert "This board is still empty" in visitor.get("/")
    assert "Log in" in visitor.get("/rankings/new/")
    password = (board.folder / "password").read_text()
    visitor.post("/login/", username="demo", password=password, next="/")
    assert "The database has 1 materialized view that it can show." in " ".join(visitor.get("/").split())
    page = visitor.get("/rankings/new/?schema=public&relation=pages")
    assert "/pricing" in page
    assert "Make its leading rows" not in page
    fields = {"schema": "public", "relation": "pages", "key": "page", "measure": "visits", "size": "5"}
    fields |= {"title": "pages by visits", "ascending": "False", "format": "number", "summed": "on"}
    visitor.post("/rankings/new/", **fields)
    known = json.loads(visitor.get("/api/rankings/"))["rankings"]
    assert [row["name"] for row in known[0]["rows"]] == ["/", "/docs", "/pricing"]
    theirs.execute("INSERT INTO visits VALUES ('/pricing', 80)", "REFRESH MATERIALIZED VIEW pages")
    wait_until(lambda: json.loads(visitor.get("/api/rankings/"))["rankings"][0]["rows"][0]["value"] == 100)
    assert theirs.relations() == theirs.before


def test_without_a_risingwave_the_board_says_what_to_do(start):
    board = start()
    assert board.wait_for_end() == 1
    assert board.output() == (
        "make board shows the views of a RisingWave. Say which one: "
        "make board RISINGWAVE_URL=postgres://root@127.0.0.1:4566/dev\n"
        "Without a RisingWave, make demo shows a board with made-up orders.\n"
    )

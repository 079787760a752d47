"""docs/streaming.md, followed from an empty folder, block after block."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, Producer
from django.db.backends.postgresql.base import Database  # type: ignore[attr-defined]  # psycopg2 or psycopg

from django_risingwave import embedded
from django_risingwave.connections import get_connection
from django_risingwave.testing.statements import violations
from tests.environments import environ, read
from tests.processes import DEADLINE_SECONDS, ROOT, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = (ROOT / "docs" / "streaming.md").read_text()
BLOCK = r"^```(\w+)\n(.*?)^```$"
#: What a block of Python is: `# shop/models.py: at the end`.
HEADER = re.compile(r"# (\S+\.py)(?:: (at the end|instead of the class))?\n")

#: Prints what RisingWave is sent for each declaration of the page.
STATEMENTS = """
import json
from django.apps import apps
from django.db import connection
from django_risingwave.streaming.declaring.declarations import declared
found = [declared(model) for model in apps.get_app_config("shop").get_models()]
definitions = [each for one in found for each in (one.definition, *one.attached.values()) if each]
print(json.dumps([each.create_sql(connection.ops.quote_name) for each in definitions]))
"""


class Tutorial:
    """The folder in which the page is followed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = os.pathsep.join([str(ROOT), str(folder)])
        self.environment = environ() | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        #: Commands that don't end by themselves or that need the network, with what the test does instead.
        self.instead: dict[str, Callable[[], object]] = {}
        #: Parts of the page's code that are replaced.
        self.replaced: dict[str, str] = {}
        self.sell: Callable[[], object] = self.insert
        self.sales = 100

    def follow(self, language: str, code: str) -> None:
        """Do what a block says."""
        if code.startswith(">>>"):
            self.try_out(code)
        elif language == "python":
            self.write(code)
        elif language == "console":
            for command, output in re.findall(r"^\$ (.*)\n([^$]*)", code, re.MULTILINE):
                assert output in self.run(command)
        else:
            for command in code.splitlines():
                self.instead.get(command, lambda command=command: self.run(command))()

    def write(self, code: str) -> None:
        """Write a file of the page, or the part of it that the block's first line names."""
        match = HEADER.match(code)
        assert match, code
        file, place, code = self.folder / match[1], match[2], code[match.end() :]
        for old, new in self.replaced.items():
            code = code.replace(old, new)
        if place == "at the end":
            code = f"{file.read_text()}\n\n{code}"
        elif place == "instead of the class":
            name, _, _ = code.partition("\n")
            earlier = re.compile(rf"^{re.escape(name)}\n(?:(?: .*)?\n)*", re.MULTILINE)
            code, count = earlier.subn(lambda _: code, file.read_text())
            assert count == 1, name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)

    def run(self, command: str) -> str:
        """Run a command to its end, and return what it printed."""
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.environment.setdefault(name, value)
            return ""
        command, _, name = command.partition(" < ")
        with (self.folder / name if name else Path(os.devnull)).open() as stdin:
            ended = subprocess.run(
                self.words(command),
                cwd=self.folder,
                env=self.environment,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
                check=False,
            )
        assert ended.returncode == 0, f"{command}\n{ended.stdout}"
        return ended.stdout

    @staticmethod
    def words(command: str) -> list[str]:
        programs = {"python": [sys.executable], "django-admin": [sys.executable, "-m", "django"]}
        program, *arguments = shlex.split(command)
        return [*programs[program], *arguments]

    @contextmanager
    def running(self, command: str) -> Iterator[Path]:
        """Run a command until the block ends. Yields the file of what it prints."""
        log = self.folder / "log"
        with log.open("w") as output:
            process = subprocess.Popen(
                self.words(command),
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield log
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
            process.wait(DEADLINE_SECONDS)

    def shell(self, code: str) -> str:
        return self.run(shlex.join(["python", "manage.py", "shell", "--verbosity", "0", "--command", code]))

    def try_out(self, code: str) -> None:
        """Run the lines after >>>, until the last has the value that the block shows."""
        lines = re.findall(r"^>>> (.*)$", code, re.MULTILINE)
        shown = "".join(line for line in code.splitlines() if not line.startswith(">>>"))
        if shown:
            asked = "\n".join([*lines[:-1], f"print(repr({lines[-1]}))"])
            wait_until(lambda: self.shell(asked).strip() == shown)
        else:
            self.shell("\n".join(lines))

    # What the test does itself -------------------------------------------------------------------------

    def insert(self) -> None:
        """Insert another sale of tea into the stand-in."""
        self.sales += 1
        with closing(Database.connect(embedded.url("risingwave", self.folder / "postgres"))) as connection:
            connection.autocommit = True
            connection.cursor().execute(
                f"INSERT INTO sales (id, product, quantity, price) VALUES ({self.sales}, 'tea', 1, 1)"
            )

    def watch(self, command: str, told: Callable[[str], object]) -> None:
        """Run a command that tells of changes, and sell until it has told of one."""
        with self.running(command) as log:

            def has_told() -> bool:
                self.sell()
                return any(told(line) for line in log.read_text().splitlines())

            wait_until(has_told, log.read_text)

    def rank(self, slug: str, key: str) -> None:
        """Serve the site, until a ranking shows this key first."""
        port = free_port()
        with self.running(f"python manage.py runserver --noreload {port}") as log:

            def is_shown() -> bool:
                try:
                    ranking = json.loads(read(f"http://127.0.0.1:{port}/rankings/api/rankings/{slug}/"))
                except OSError:
                    return False
                rows: list[dict[str, Any]] = ranking["rows"] or []
                return bool(rows) and rows[0]["key"] == key

            wait_until(is_shown, log.read_text)


@pytest.fixture
def broker() -> Producer:
    """A broker of Kafka in this process."""
    return Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock"})


@pytest.fixture
def tutorial(broker: Producer) -> Iterator[Tutorial]:
    # A path that is short enough for a socket.
    with tempfile.TemporaryDirectory(prefix="tutorial-") as name, ExitStack() as servers:
        folder = Path(name)
        tutorial = Tutorial(folder)

        def start(command: str) -> None:
            log = servers.enter_context(tutorial.running(command))
            wait_until(lambda: "is ready" in log.read_text(), log.read_text)
            log.rename(folder / "postgres.log")

        (address,) = broker.list_topics().brokers.values()
        tutorial.environment["KAFKA_SERVERS"] = f"{address.host}:{address.port}"
        server = "python -m django_risingwave.embedded postgres default risingwave"
        follow, announce = "python manage.py follow product_turnover", "python manage.py announce"
        tutorial.instead = {
            'pip install "risingwave-django[live,psycopg2,standin]"': lambda: None,
            "pip install pytest-django": lambda: None,
            "pip install confluent-kafka": lambda: None,
            server: lambda: start(server),
            "python manage.py runserver": lambda: tutorial.rank("top-products", "tea"),
            follow: lambda: tutorial.watch(follow, lambda line: '"op": "update"' in line),
            announce: lambda: tutorial.watch(announce, lambda line: re.match("update: tea has ", line)),
        }
        yield tutorial
    assert not embedded.is_running(folder / "postgres")


def test_the_tutorial_leads_from_an_empty_folder_to_two_live_rankings(tutorial: Tutorial) -> None:
    for language, code in re.findall(BLOCK, PAGE, re.MULTILINE | re.DOTALL):
        tutorial.follow(language, code)
    tutorial.rank("top-customers", "Ada")
    assert received(tutorial.environment["KAFKA_SERVERS"]) == ["coffee", "tea", "tea"]
    statements = json.loads(tutorial.shell(STATEMENTS))
    assert len(statements) == 5
    assert [violations(sql) for sql in statements] == [[]] * 5


def received(servers: str) -> list[str]:
    """Return the products of the messages that the page sends, in order: each partition has its own."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe(["sales"])
    try:
        messages = consumer.consume(3, timeout=DEADLINE_SECONDS)
    finally:
        consumer.close()
    return sorted(json.loads(message.value() or b"")["product"] for message in messages)


ALIAS = '"risingwave": {"ENGINE": "django_risingwave", "NAME": "risingwave", **SERVER}'


@pytest.fixture
def on_risingwave(tutorial: Tutorial, broker: Producer, django_db_blocker: Any) -> Iterator[Tutorial]:
    """The tutorial on a database of the RisingWave at RISINGWAVE_URL, which reads the topic."""
    connection = get_connection("risingwave")
    settings, name = connection.settings_dict, "tutorial"
    with django_db_blocker.unblock():
        if not connection.is_risingwave:
            pytest.skip("needs a RisingWave server at RISINGWAVE_URL")
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}"')
    server = {key: settings[key] for key in ("ENGINE", "HOST", "PORT", "USER", "PASSWORD")} | {"NAME": name}

    def send() -> None:
        tutorial.sales += 1
        sale = {"id": tutorial.sales, "product": "tea", "quantity": 1, "price": "1"}
        broker.produce("sales", json.dumps(sale))
        broker.flush()

    tutorial.sell = send
    tutorial.replaced[ALIAS] = f'"risingwave": {server!r}'
    tutorial.instead["python manage.py shell < produce_without_kafka.py"] = lambda: None
    yield tutorial
    with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{name}"')


@pytest.mark.risingwave
def test_risingwave_reads_the_topic_of_the_tutorial(on_risingwave: Tutorial) -> None:
    # No server has confirmed the mirrors of the sections after it.
    for language, code in re.findall(BLOCK, PAGE.partition("\n## 7.")[0], re.MULTILINE | re.DOTALL):
        on_risingwave.follow(language, code)

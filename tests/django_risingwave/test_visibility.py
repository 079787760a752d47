"""flushed() waits at its end until earlier writes are visible."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, OperationalError, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.connection import ConnectionDoesNotExist

from django_risingwave.base import DatabaseWrapper
from django_risingwave.visibility import flushed
from tests.django_risingwave.models import Author

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.django_risingwave.conftest import Disguise


@pytest.fixture
def sent_verbs(connection: DatabaseWrapper, disguise: Disguise) -> Callable[[], list[str]]:
    """Return a function that returns the first words of the statements sent to RisingWave."""
    with connection.schema_editor() as editor:
        editor.create_model(Author)
    disguise.statements.clear()
    return lambda: [sql.split()[0] for sql in disguise.statements]


def test_a_block_waits_once_at_its_end(sent_verbs: Callable[[], list[str]]) -> None:
    with flushed():
        Author.objects.create(name="A")
        Author.objects.create(name="B")
        assert sent_verbs() == ["INSERT", "INSERT"]
    assert sent_verbs() == ["INSERT", "INSERT", "FLUSH"]


def test_each_nested_block_waits(sent_verbs: Callable[[], list[str]]) -> None:
    with flushed():
        with flushed(using="risingwave"):
            Author.objects.create(name="A")
        assert sent_verbs() == ["INSERT", "FLUSH"]
        Author.objects.create(name="B")
    assert sent_verbs() == ["INSERT", "FLUSH", "INSERT", "FLUSH"]


def test_flushed_decorates_functions_like_atomic(sent_verbs: Callable[[], list[str]]) -> None:
    @flushed
    def plain(name: str) -> str:
        Author.objects.create(name=name)
        return name

    @flushed(using="risingwave")
    def with_alias() -> None:
        Author.objects.create(name="B")

    assert plain("A") == "A"
    with_alias()
    assert sent_verbs() == ["INSERT", "FLUSH", "INSERT", "FLUSH"]


def test_an_exception_propagates_after_waiting_for_earlier_writes(
    sent_verbs: Callable[[], list[str]],
) -> None:
    with pytest.raises(ZeroDivisionError), flushed():
        Author.objects.create(name=str(1 / 0))
    assert sent_verbs() == ["FLUSH"]
    with pytest.raises(KeyboardInterrupt), flushed():
        raise KeyboardInterrupt
    assert sent_verbs() == ["FLUSH"]


def test_a_lost_server_does_not_hide_the_exception(
    connection: DatabaseWrapper, sent_verbs: Callable[[], list[str]]
) -> None:
    def fail(execute: Any, sql: str, *args: Any) -> Any:
        raise OperationalError("lost")

    with connection.execute_wrapper(fail):
        with pytest.raises(ZeroDivisionError), flushed():
            raise ZeroDivisionError
        with pytest.raises(OperationalError, match="lost"), flushed():
            pass


def test_flushed_waits_inside_and_around_atomic(sent_verbs: Callable[[], list[str]]) -> None:
    with flushed(), transaction.atomic(using="risingwave"):
        Author.objects.create(name="A")
    with transaction.atomic(using="risingwave"), flushed():
        Author.objects.create(name="B")
    assert sent_verbs() == ["INSERT", "FLUSH", "INSERT", "FLUSH"]


def test_nothing_is_sent_to_the_stand_in(standin: DatabaseWrapper) -> None:
    with CaptureQueriesContext(standin) as queries, flushed():
        pass
    assert queries.captured_queries == []


def test_a_wrong_alias_is_refused_at_the_start_of_the_block(
    standin: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        pytest.raises(ImproperlyConfigured, match=r"ENGINE of DATABASES\['default'\] must be"),
        flushed("default"),
    ):
        pytest.fail("it was entered")
    with pytest.raises(ConnectionDoesNotExist), flushed("nowhere"):
        pytest.fail("it was entered")
    monkeypatch.setattr(DatabaseWrapper, "vendor", "other")
    with (
        pytest.raises(ImproperlyConfigured, match='No database in DATABASES has ENGINE "django_risingwave"'),
        flushed(),
    ):
        pytest.fail("it was entered")


@pytest.mark.django_db(transaction=True, databases=["default", "risingwave"])
def test_asynchronous_blocks_wait_in_the_thread_of_the_orm(monkeypatch: pytest.MonkeyPatch) -> None:
    flushes: list[Any] = []

    def flush(self: DatabaseWrapper) -> None:
        flushes.append(self)

    monkeypatch.setattr(DatabaseWrapper, "flush", flush)

    async def write() -> Any:
        async with flushed():
            assert flushes == []
            wrote = await sync_to_async(lambda: connections["risingwave"])()
        with pytest.raises(ZeroDivisionError):
            async with flushed():
                raise ZeroDivisionError
        return wrote

    wrote = asyncio.run(write())
    assert flushes == [wrote, wrote]


def test_a_row_is_visible_after_the_block(connection: DatabaseWrapper) -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Author)
    for name in "ABC":
        with flushed():
            Author.objects.create(name=name)
        assert Author.objects.filter(name=name).exists()
    with pytest.raises(DatabaseError), flushed(), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM nowhere")

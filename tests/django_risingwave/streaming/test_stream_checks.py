"""`manage.py check` finds a Stream that can't be read, and says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command, get_commands
from django.core.management.commands.makemigrations import Command as DjangoMakemigrations
from django.db import NotSupportedError, models
from django.test.utils import isolate_apps

from demo.shop.models import StateTurnover
from django_risingwave.models import MaterializedView
from django_risingwave.streaming.autodetector import RisingWaveAutodetector
from django_risingwave.streaming.declaring import stream_checks
from django_risingwave.streaming.declaring.declarations import Declaration, declared
from django_risingwave.streaming.definitions import Subscription, SubscriptionDefinition
from django_risingwave.streaming.sinks import Sink
from tests.django_risingwave.streaming.detecting import table, view

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.management import BaseCommand


OUT = Sink("out", into="totals")


def check(
    monkeypatch: pytest.MonkeyPatch, *declared: type[models.Model]
) -> list[tuple[str, str, str | None]]:
    """Return the id, the message and the hint of each error."""
    monkeypatch.setattr(apps, "get_models", lambda: declared)
    monkeypatch.setattr(apps, "get_model", lambda *key: None)
    return [(str(error.id), error.msg, error.hint) for error in stream_checks.check_streams(None)]


def test_what_is_declared_rightly_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [view("A", "SELECT kind FROM b", subscription="1 day"), table("T", subscription="12h")]
    assert check(monkeypatch, *models) == []


def test_a_queryset_without_a_callable_is_refused_without_a_query(monkeypatch: pytest.MonkeyPatch) -> None:
    ((_, message, _),) = check(monkeypatch, view("A", models.QuerySet(table("T"))))
    assert message == "Stream: query is a QuerySet."


def test_indexes_in_a_stream_are_referred_to_meta(monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = view("A", "SELECT kind FROM b")
    monkeypatch.setattr(model.Stream, "indexes", [], raising=False)
    ((_, message, hint),) = check(monkeypatch, model)
    assert message == "Stream: unknown attribute indexes."
    assert (hint or "").endswith("Declare indexes in Meta.indexes.")


@pytest.mark.parametrize(
    ("declaration", "message", "hint"),
    [
        ({"query": 5}, "Stream: query is 5.", "Set it to a SELECT, or to a callable"),
        (
            {"query": "DROP TABLE x"},
            "the query can't be read. The SQL must be one SELECT, not DROP.",
            "RunRisingWaveSQL",
        ),
        (
            {"query": "SELECT FROM"},
            "the query can't be read. sqlglot can't read the SQL: Expected table name",
            "",
        ),
        (
            {"query": "SELECT 1", "querry": "x"},
            "Stream: unknown attribute querry.",
            "Use query, sinks, standin, ",
        ),
        ({"query": "SELECT 1", "subscription": 5}, "Stream: subscription is 5.", '"1 day"'),
        ({"query": "SELECT 1", "subscription": "soon"}, "must be whole numbers with units, not 'soon'", ""),
        ({"query": "SELECT 1", "sinks": ["s"]}, "Stream: sinks contains 's'.", "Make it a Sink"),
        (
            {"query": "SELECT 1", "sinks": [OUT, OUT]},
            "two objects have the same name: out, out.",
            "Rename one.",
        ),
        ({"query": "SELECT 1", "standin": 5}, "Stream: standin is 5.", "Set it to a SELECT."),
        (
            {"query": lambda: 1 / 0},
            "the query raises ZeroDivisionError: division by zero",
            "Correct the callable.",
        ),
        ({"query": lambda: "SELECT 1"}, "the query returns 'SELECT 1', not a QuerySet.", "Return a QuerySet"),
    ],
)
def test_a_stream_that_cannot_be_read_is_an_error(
    monkeypatch: pytest.MonkeyPatch, declaration: dict[str, Any], message: str, hint: str
) -> None:
    query = declaration.pop("query")
    ((number, text, said),) = check(monkeypatch, view("A", query, **declaration))
    assert number == "django_risingwave.E010"
    assert message in text
    assert hint in (said or "")


def test_a_stream_on_another_kind_of_model_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with isolate_apps("django_risingwave"):

        class Plain(models.Model):  # noqa: DJ008
            class Meta:
                app_label = "django_risingwave"

            class Stream:
                query = "SELECT 1"

        class Song(models.Model):  # noqa: DJ008
            class Meta:
                app_label = "django_risingwave"

            class Stream:
                """Of the project's own."""

                bitrate = 320

    ((number, text, _),) = check(monkeypatch, Plain, Song)
    assert (number, text) == ("django_risingwave.E010", "Stream: the model isn't a RisingWave model.")


def test_a_circle_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    ((number, text, _),) = check(
        monkeypatch, view("A", "SELECT kind FROM b"), view("B", "SELECT kind FROM a")
    )
    assert number == "django_risingwave.E011"
    assert text in (
        f"Streaming models can't read each other in a circle: {circle}."
        for circle in (
            "django_risingwave.a → django_risingwave.b → django_risingwave.a",
            "django_risingwave.b → django_risingwave.a → django_risingwave.b",
        )
    )


class Displaced(DjangoMakemigrations):
    """Another app's command."""


class Inheriting(DjangoMakemigrations):
    """Another app's command that knows streaming models."""

    autodetector = type("Both", (RisingWaveAutodetector, DjangoMakemigrations.autodetector), {})


@pytest.mark.parametrize(("command", "ids"), [(Displaced, ["django_risingwave.E012"]), (Inheriting, [])])
def test_a_command_that_does_not_know_streaming_models_is_an_error(
    monkeypatch: pytest.MonkeyPatch, command: Callable[[], BaseCommand], ids: list[str]
) -> None:
    commands = get_commands() | {"makemigrations": command()}
    monkeypatch.setattr(stream_checks, "get_commands", lambda: commands)
    assert [number for number, _, _ in check(monkeypatch, view("A", "SELECT kind FROM b"))] == ids
    assert check(monkeypatch, table("T")) == []


def test_a_stream_is_inherited_from_an_abstract_base_and_not_by_a_proxy() -> None:
    with isolate_apps("django_risingwave"):

        class Base(MaterializedView):
            kind = models.TextField(primary_key=True)

            class Meta(MaterializedView.Meta):
                abstract = True
                app_label = "django_risingwave"

            class Stream:
                subscription = Subscription("2 days", name="all_changes")

        class Child(Base):
            class Meta(Base.Meta):
                app_label = "django_risingwave"
                db_table = "child"

        class Proxy(Child):
            class Meta:
                app_label = "django_risingwave"
                proxy = True

    assert declared(Child) == Declaration(
        None, {"all_changes": SubscriptionDefinition("all_changes", "child", "2 days")}
    )
    assert declared(Proxy) == Declaration()


def test_a_query_that_the_backend_refuses_is_an_error_at_check(monkeypatch: pytest.MonkeyPatch) -> None:
    books = table("Books", kind=models.TextField())

    def refused() -> Any:
        raise NotSupportedError("RisingWave lacks it.")

    queries = [refused, books._default_manager.none]
    for query in queries:
        ((number, text, _),) = check(monkeypatch, view("A", query))
        assert number == "django_risingwave.E010"
        assert "the query raises NotSupportedError: " in text


@pytest.mark.django_db(databases=["default", "risingwave"])
@pytest.mark.parametrize("command", ["makemigrations", "migrate"])
def test_a_command_without_checks_says_what_is_wrong_with_a_stream(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(StateTurnover.Stream, "query", "SELECT FROM")
    options = {"dry_run": True} if command == "makemigrations" else {"database": "risingwave"}
    with pytest.raises(CommandError, match=r"^demo_shop.StateTurnover.Stream: the query can't be read\."):
        call_command(command, skip_checks=True, **options)


@pytest.mark.django_db(databases=["default", "risingwave"])
def test_migrate_tells_of_a_changed_query_without_a_migration(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        StateTurnover.Stream, "query", "SELECT state, sum(qty) AS turnover FROM orders GROUP BY 1"
    )
    call_command("migrate", database="risingwave")
    assert "Your models in app(s): 'demo_shop' have changes" in capsys.readouterr().out

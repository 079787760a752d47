"""`manage.py inspectdb` writes models that can be imported and queried."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.checks import Error
from django.core.management import call_command
from django.db import models
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import isolate_apps

from django_risingwave.checks import check_models
from django_risingwave.fields import RowIdField
from django_risingwave.models import MaterializedView, ReadOnlyError, ReadOnlyModel, RisingWaveModel
from django_risingwave.streaming.aggregates import Count
from django_risingwave.streaming.definitions import MaterializedViewDefinition
from tests.django_risingwave.models import Author, Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise

MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
LOCAL = datetime(2026, 1, 2, 0, 30)  # noqa: DTZ001 - without a time zone on purpose


@pytest.fixture
def tables_of_models(standin: DatabaseWrapper) -> None:
    """Tables of two models, created by the stand-in."""
    with standin.schema_editor() as editor:
        editor.create_model(Author)
        # `_row_id` is the column that RisingWave adds and hides.
        editor.create_model(Event)


@pytest.fixture
def tables(
    standin: DatabaseWrapper, tables_of_models: None, both_servers: Disguise | None
) -> DatabaseWrapper:
    """One relation of each kind, with a row."""
    MigrationRecorder(standin).ensure_schema()
    with standin.cursor() as cursor:
        cursor.execute("INSERT INTO django_risingwave_author VALUES (1, 'A')")
        cursor.execute("INSERT INTO events (kind, amount) VALUES ('x', 2)")
        cursor.execute('CREATE VIEW authors AS SELECT name, id AS "Author Id" FROM django_risingwave_author')
        cursor.execute("CREATE TABLE visits (day date, page varchar, hits int, PRIMARY KEY (day, page))")
        cursor.execute("INSERT INTO visits VALUES ('2026-01-02', '/', 3)")
        cursor.execute(
            "CREATE TABLE source_clicks (tags varchar[], sums numeric[], class jsonb, price numeric,"
            " at timestamptz, wait interval, raw bytea, local timestamp, locals timestamp[])"
        )
        cursor.execute(
            "INSERT INTO source_clicks VALUES (ARRAY['a', 'b'], ARRAY[1.5], '{\"a\": 1}',"
            " 1234567890.123456789, '2026-01-02T00:00:00+00:00', '1 day', '\\x00ff', '2026-01-02 00:30',"
            " ARRAY['2026-01-02 00:30'::timestamp])"
        )
        cursor.execute("CREATE INDEX events_kind ON events (kind)")
    with standin.schema_editor() as editor:
        editor.create_streaming_object(
            MaterializedViewDefinition("kinds", "events", ["kind"], {"number": Count()})
        )
    return standin


def inspect(*names: str, **options: Any) -> str:
    out = StringIO()
    call_command("inspectdb", *names, database="risingwave", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def written(tables: DatabaseWrapper) -> Iterator[dict[str, Any]]:
    """The names in the generated module."""
    text = inspect()
    module: dict[str, Any] = {"__name__": "django_risingwave.written", "text": text}
    with isolate_apps("django_risingwave"):
        exec(compile(text, "written.py", "exec"), module)
        yield module


def test_each_model_has_the_base_class_of_its_kind(written: dict[str, Any], tables: DatabaseWrapper) -> None:
    bases = {
        name: model.__mro__[1]
        for name, model in written.items()
        if isinstance(model, type) and issubclass(model, models.Model) and not model._meta.abstract
    }
    assert bases == {
        "Authors": ReadOnlyModel,
        "DjangoRisingwaveAuthor": RisingWaveModel,
        "Events": RisingWaveModel,
        "Kinds": MaterializedView,
        # Plays a source, which the stand-in lacks.
        "SourceClicks": ReadOnlyModel if tables.is_risingwave else RisingWaveModel,
        "Visits": RisingWaveModel,
    }
    for name in bases:
        assert written[name]._meta.managed is False
        assert written[name]._meta.required_db_vendor == "risingwave"
        errors = [*written[name].check(), *check_models()]
        # Django 6.1 requires django.contrib.postgres in INSTALLED_APPS for ArrayField.
        assert {error.id for error in errors if isinstance(error, Error)} <= {"postgres.E005"}


def test_the_models_can_be_queried(written: dict[str, Any], tables: DatabaseWrapper) -> None:
    assert list(written["DjangoRisingwaveAuthor"].objects.values_list()) == [(1, "A")]
    event = written["Events"].objects.get()
    assert isinstance(event._meta.pk, RowIdField)
    assert (event.kind, event.amount, event.weight) == ("x", 2, None)
    assert event.pk == 1
    author = written["Authors"].objects.get()
    assert (author.pk, author.author_id) == ("A", 1)
    visit = written["Visits"].objects.get()
    assert visit.pk == (visit.day, "/")
    click = written["SourceClicks"].objects.get()
    assert (click.tags, click.sums, click.class_field) == (["a", "b"], [Decimal("1.5")], {"a": 1})
    assert click.pk == click.price
    assert (click.price, click.at) == (Decimal("1234567890.123456789"), MOMENT)
    assert click.local == LOCAL
    assert click.locals == [LOCAL]
    if not tables.is_risingwave:
        # The row was written before the disguise, and PostgreSQL doesn't refresh materialized views.
        kind = written["Kinds"].objects.get()
        assert (kind.pk, kind.number) == ("x", 1)


def test_a_timestamp_without_a_time_zone_is_the_same_in_every_zone(
    written: dict[str, Any], settings: Any
) -> None:
    settings.TIME_ZONE = "Asia/Kathmandu"
    clicks = written["SourceClicks"].objects
    assert clicks.get(local=LOCAL, local__hour=0, local__date=LOCAL.date()).local == LOCAL
    assert "    local = NaiveDateTimeField(blank=True, null=True)\n" in written["text"]
    assert "    locals = ArrayField(base_field=NaiveDateTimeField(), blank=True" in written["text"]
    assert "from django_risingwave.fields import NaiveDateTimeField, RowIdField\n" in written["text"]


def test_views_and_sources_refuse_writes(written: dict[str, Any]) -> None:
    for name in ("Authors", "Kinds"):
        with pytest.raises(ReadOnlyError):
            written[name].objects.create()
    assert written["SourceClicks"]._meta.get_field("price").max_digits == 28
    written["Events"].objects.create(kind="y", amount=1)
    assert written["Events"].objects.count() == 2


def test_the_primary_key_is_found_or_guessed_with_a_comment(tables: DatabaseWrapper) -> None:
    remark = "  # The primary key is unknown: set primary_key on the column that identifies a row."
    text = inspect("kinds", "authors", "events", "visits")
    assert f"    name = models.TextField(primary_key=True){remark}\n" in text
    known = "" if tables.is_risingwave else remark
    assert f"    kind = models.TextField(primary_key=True){known}\n" in text
    assert "    row_id = RowIdField()\n" in text
    assert "    pk = models.CompositePrimaryKey('day', 'page')\n    day = models.DateField()\n" in text


def test_named_tables_are_selected_and_django_migrations_is_left_out(tables: DatabaseWrapper) -> None:
    assert "django_migrations" not in inspect()
    assert "class DjangoMigrations(RisingWaveModel):" in inspect("django_migrations")
    text = inspect("kinds")
    assert text.count("db_table = ") == 1
    assert text.startswith("# This is an auto-generated Django model module.")
    assert "\nfrom django.db import models\nfrom django_risingwave.models import MaterializedView\n" in text
    assert "RisingWaveModel" not in text
    chosen = inspect(table_name_filter=lambda name: name.startswith("v"))
    assert "class Visits(RisingWaveModel):" in chosen
    assert chosen.count("db_table = ") == 1
    assert "# Unable to inspect table 'nowhere'" in inspect("nowhere")


def test_other_databases_get_djangos_command(tables: DatabaseWrapper, django_db_blocker: Any) -> None:
    out = StringIO()
    with django_db_blocker.unblock():
        call_command("inspectdb", database="default", stdout=out, table_name_filter=lambda name: False)
    assert "django_risingwave" not in out.getvalue()

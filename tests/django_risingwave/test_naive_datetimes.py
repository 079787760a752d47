"""NaiveDateTimeField: no time zone changes what is stored, read, found, grouped or entered."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import connections, models
from django.db.migrations.writer import MigrationWriter
from django.db.models import functions
from django.test import RequestFactory
from django.test.utils import isolate_apps
from django.utils import timezone
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_risingwave.checks import _check_model
from django_risingwave.fields import NaiveDateTimeField
from tests.django_risingwave.field_cases import Case, model_of
from tests.django_risingwave.test_field_values import check_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.base import DatabaseWrapper

#: Every zone would move this moment into another day, and most into another year.
NEW_YEAR = dt.datetime(2026, 1, 1, 0, 30)  # noqa: DTZ001 - naive on purpose
EVENING = dt.datetime(2025, 12, 31, 23, 30)  # noqa: DTZ001 - naive on purpose
# An hour that clocks in Berlin skip, and one that they repeat.
GAP = dt.datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001 - naive on purpose
FOLD = dt.datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001 - naive on purpose
CASE = Case(
    NaiveDateTimeField(),
    st.datetimes(),
    (dt.datetime.min, dt.datetime.max, NEW_YEAR, GAP, FOLD),  # noqa: DTZ901 - naive on purpose
)


@pytest.fixture(params=["UTC", "Asia/Kathmandu", "America/Los_Angeles"], autouse=True)
def zone(request: pytest.FixtureRequest, settings: Any) -> Iterator[str]:
    """The time zone of the project, and the current one."""
    name: str = request.param
    with timezone.override(ZoneInfo(name)):
        settings.TIME_ZONE = name
        yield name


@pytest.fixture
def model(connection: DatabaseWrapper) -> Any:
    model = model_of(NaiveDateTimeField())
    with connection.schema_editor() as editor:
        editor.create_model(model)
    return model


def test_values_are_read_found_and_ordered_as_they_were_written(
    connection: DatabaseWrapper, model: Any
) -> None:
    @hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @example([*CASE.extremes])
    @given(st.lists(CASE.values, min_size=1, max_size=8))
    def check(values: list[Any]) -> None:
        # check_values() converts aware values for __in, of which there are none.
        check_values(connection, model, CASE, values)

    check()


@pytest.mark.risingwave
def test_the_column_has_no_time_zone(connection: DatabaseWrapper, model: Any) -> None:
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, model._meta.db_table)
    assert [column.type_code for column in columns if column.name == "value"] == [1114]
    assert _check_model(model) == []


@pytest.mark.risingwave
def test_parts_of_the_value_are_those_that_are_stored(connection: DatabaseWrapper, model: Any) -> None:
    model.objects.bulk_create([model(value=NEW_YEAR), model(value=EVENING)])
    connection.flush()
    rows = model.objects.order_by("value")
    for lookup in (
        {"value__year": 2026},
        {"value__year__gte": 2026},
        {"value__iso_year": 2026, "value__month": 1},
        {"value__date": NEW_YEAR.date()},
        {"value__time": NEW_YEAR.time()},
        {"value__hour": 0},
        {"value__month": 1},
        {"value__week_day": 5},
    ):
        assert [row.value for row in rows.filter(**lookup)] == [NEW_YEAR], lookup
    extracted = rows.annotate(year=functions.ExtractYear("value"), hour=functions.ExtractHour("value"))
    assert list(extracted.values_list("year", "hour")) == [(2025, 23), (2026, 0)]
    assert [row.value for row in extracted.filter(year=2025)] == [EVENING]
    truncated = rows.annotate(
        day=functions.TruncDay("value"),
        hour=functions.Trunc("value", "hour"),
        date=functions.TruncDate("value"),
        time=functions.TruncTime("value"),
    )
    assert truncated.values_list("day", "hour", "date", "time")[1] == (
        NEW_YEAR.replace(minute=0),
        NEW_YEAR.replace(minute=0),
        NEW_YEAR.date(),
        NEW_YEAR.time(),
    )
    assert list(rows.dates("value", "year")) == [dt.date(2025, 1, 1), dt.date(2026, 1, 1)]


def test_a_time_zone_is_refused_in_functions(connection: DatabaseWrapper, model: Any) -> None:
    with pytest.raises(ValueError, match=r"TruncDay\(\) can't convert a NaiveDateTimeField to a time zone"):
        list(model.objects.annotate(day=functions.TruncDay("value", tzinfo=dt.UTC)))
    with pytest.raises(ValueError, match=r"QuerySet\.datetimes\(\) .* use dates\(\)"):
        list(model.objects.datetimes("value", "day"))


def test_the_parts_of_a_datetimefield_are_still_those_in_the_current_zone(
    connection: DatabaseWrapper, zone: str
) -> None:
    model = model_of(models.DateTimeField())
    with connection.schema_editor() as editor:
        editor.create_model(model)
    moment = NEW_YEAR.replace(tzinfo=dt.UTC)
    model.objects.create(value=moment)
    connection.flush()
    local = moment.astimezone(ZoneInfo(zone))
    assert model.objects.filter(value__hour=local.hour, value__year=local.year).count() == 1


# Values --------------------------------------------------------------------------------------------------


def test_a_value_with_a_time_zone_is_refused(model: Any) -> None:
    aware = NEW_YEAR.replace(tzinfo=dt.UTC)
    message = "Field 'value' expected a datetime without a time zone but got datetime.datetime"
    for value in (aware, "2026-01-01T00:30Z"):
        with pytest.raises(ValueError, match=message):
            model.objects.create(value=value)
        for lookup in ("value", "value__gt", "value__in"):
            with pytest.raises(ValueError, match=message):
                model.objects.filter(**{lookup: [value] if lookup == "value__in" else value})
    with pytest.raises(ValidationError, match="Enter a date and time without a time zone"):
        model(value=aware, text="a").full_clean()


def test_dates_and_strings_are_converted_without_a_time_zone() -> None:
    field = NaiveDateTimeField()
    assert field.get_prep_value(NEW_YEAR.date()) == NEW_YEAR.replace(minute=0)
    assert field.get_prep_value("2026-03-29 02:30") == GAP
    assert field.to_python(None) is None


def test_the_time_of_saving_is_refused() -> None:
    with isolate_apps("django_risingwave"):
        (error,) = model_of(NaiveDateTimeField(auto_now=True)).check()
    assert error.id == "django_risingwave.E009"
    assert error.hint.startswith("Use a DateTimeField")


@pytest.mark.parametrize("value", [NEW_YEAR, GAP, FOLD])
def test_a_form_takes_and_shows_the_same_hour(value: dt.datetime) -> None:
    Form = forms.modelform_factory(model_of(NaiveDateTimeField(blank=True)), fields=["value"])  # noqa: N806 - a class
    form = Form({"value": value.isoformat(" ")})
    assert form.is_valid()
    assert form.cleaned_data["value"] == value
    assert f'value="{value:%Y-%m-%d %H:%M:%S}"' in str(Form(initial={"value": value}))
    assert Form({"value": ""}).is_valid()


@pytest.mark.parametrize("value", [NEW_YEAR, GAP, FOLD])
def test_the_admins_form_takes_and_shows_the_same_hour(value: dt.datetime) -> None:
    model = model_of(NaiveDateTimeField(blank=True))
    model_admin = admin.ModelAdmin(model, admin.site)
    Form: Any = model_admin.get_form(RequestFactory().get("/"), fields=["value"])  # noqa: N806 - a class
    form = Form({"value_0": f"{value:%Y-%m-%d}", "value_1": f"{value:%H:%M}"})
    assert form.errors == {}
    assert form.cleaned_data["value"] == value
    shown = str(Form(initial={"value": value}))
    assert f'value="{value:%Y-%m-%d}"' in shown
    assert f'value="{value:%H:%M:%S}"' in shown
    assert Form({"value_0": "", "value_1": ""}).errors == {}


def test_the_admins_filter_finds_the_days_as_they_are_stored(model: Any) -> None:
    request, model_admin = RequestFactory().get("/"), admin.ModelAdmin(model, admin.site)
    field = model._meta.get_field("value")
    listed: Any = admin.FieldListFilter.create(field, request, {}, model, model_admin, "value")
    # As in the links of the page, lookups are text.
    links = [{lookup: str(value) for lookup, value in lookups.items()} for _, lookups in listed.links]
    today = dt.datetime.fromisoformat(links[1]["value__gte"])
    model.objects.bulk_create([model(value=today), model(value=today - dt.timedelta(days=400)), model()])
    found = [model.objects.filter(**lookups).count() for lookups in links[:5]]
    # Any date, today, the past seven days, this month, this year.
    assert found == [3, 1, 1, 1, 1]


def test_a_form_refuses_an_offset() -> None:
    form = forms.modelform_factory(model_of(NaiveDateTimeField()), fields=["value"])(
        {"value": "2026-01-01T00:30+02:00"}
    )
    assert form.errors == {"value": ["Enter a date and time without a time zone."]}


def test_a_migration_file_gives_the_same_field() -> None:
    text, imports = MigrationWriter.serialize(NaiveDateTimeField(null=True))
    assert text == "django_risingwave.fields.NaiveDateTimeField(null=True)"
    assert imports == {"import django_risingwave.fields"}


def test_other_databases_keep_their_own_column() -> None:
    assert NaiveDateTimeField().db_type(connections["default"]) == "timestamp"

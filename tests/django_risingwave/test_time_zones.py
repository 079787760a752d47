"""Parts of a moment are those of the time zone, if it has a name that RisingWave knows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from django.db import NotSupportedError
from django.db.models import functions
from django.utils import timezone as django_timezone

from tests.django_risingwave.models import Everything

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise


@pytest.fixture
def row(connection: DatabaseWrapper) -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Everything)
    Everything.objects.create(datetime=datetime(2026, 3, 1, 20, 45, tzinfo=UTC))
    connection.flush()


def value(expression: Any) -> Any:
    return Everything.objects.annotate(value=expression).values_list("value", flat=True).get()


@pytest.mark.risingwave
@pytest.mark.parametrize(
    ("zone", "hour", "day"),
    [
        (ZoneInfo("Asia/Kolkata"), 2, date(2026, 3, 2)),
        (ZoneInfo("America/Port-au-Prince"), 15, date(2026, 3, 1)),
        (UTC, 20, date(2026, 3, 1)),
    ],
)
def test_a_time_zone_with_a_name_is_used(row: None, zone: tzinfo, hour: int, day: date) -> None:
    assert value(functions.ExtractHour("datetime", tzinfo=zone)) == hour
    assert value(functions.TruncDate("datetime", tzinfo=zone)) == day
    with django_timezone.override(zone):
        assert Everything.objects.filter(datetime__date=day).exists()


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        (timezone(timedelta(hours=5, minutes=30)), "UTC+05:30"),
        (django_timezone.get_fixed_timezone(-90), "-0130"),
        (ZoneInfo("Etc/GMT-5"), "+05"),
    ],
)
@pytest.mark.parametrize(
    "function", [functions.TruncDay, functions.TruncDate, functions.TruncTime, functions.ExtractHour]
)
def test_a_time_zone_with_a_fixed_offset_is_refused_by_name(
    row: None, both_servers: Disguise | None, function: Any, zone: tzinfo, name: str
) -> None:
    refused = rf"not the fixed offset '{name}'\. Use a zone with a name"
    with pytest.raises(NotSupportedError, match=refused.replace("+", r"\+")):
        value(function("datetime", tzinfo=zone))
    with django_timezone.override(zone), pytest.raises(NotSupportedError, match="not the fixed offset"):
        Everything.objects.filter(datetime__hour=1).exists()

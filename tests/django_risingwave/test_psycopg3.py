"""With psycopg 3, what RisingWave sends is read. Skipped where the driver is psycopg2."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db.backends.postgresql.psycopg_any import is_psycopg3

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

pytestmark = pytest.mark.skipif(not is_psycopg3, reason="is about psycopg 3, and psycopg2 is the driver")


class Silent:
    """A connection to a server that doesn't report how it writes intervals, as RisingWave doesn't."""

    def __init__(self, connection: Any) -> None:
        self.adapters = connection.adapters
        self.info = self

    def parameter_status(self, name: str) -> None:
        return None


@pytest.fixture
def silent(standin: DatabaseWrapper) -> DatabaseWrapper:
    from django_risingwave.psycopg3 import adapt

    standin.ensure_connection()
    adapt(Silent(standin.connection))
    return standin


@pytest.mark.parametrize(
    "duration",
    [
        timedelta(),
        timedelta(microseconds=1),
        timedelta(days=-1, seconds=5, microseconds=7),
        timedelta(days=400, hours=23, minutes=59, seconds=59, microseconds=999_999),
        -timedelta(days=3, hours=4),
    ],
)
def test_an_interval_is_read_without_its_style(silent: DatabaseWrapper, duration: timedelta) -> None:
    with silent.cursor() as cursor:
        params: Any = [duration]
        cursor.execute("SELECT %s::interval", params)
        assert cursor.fetchone() == (duration,)


def test_an_interval_of_months_is_not_taken_for_another(silent: DatabaseWrapper) -> None:
    with silent.cursor() as cursor:
        cursor.execute("SELECT '2 months'::interval")
        with pytest.raises(ValueError, match="'2 mons'"):
            cursor.fetchone()

"""Intervals and connection pools of psycopg 3. Skipped if psycopg2 is the driver."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import OperationalError, connections
from django.db.backends.postgresql.psycopg_any import is_psycopg3

from django_risingwave.base import DatabaseWrapper
from tests.django_risingwave.models import Author

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not is_psycopg3, reason="needs psycopg 3")


class Silent:
    """A connection to a server that doesn't report IntervalStyle, like RisingWave."""

    def __init__(self, connection: Any) -> None:
        self.adapters = connection.adapters
        self.info = self

    def parameter_status(self, name: str) -> None:
        return None


@pytest.fixture
def silent(standin: DatabaseWrapper) -> DatabaseWrapper:
    from django_risingwave.drivers.psycopg3 import register_adapters

    standin.ensure_connection()
    register_adapters(Silent(standin.connection))
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
def test_an_interval_is_read_without_interval_style(silent: DatabaseWrapper, duration: timedelta) -> None:
    with silent.cursor() as cursor:
        params: Any = [duration]
        cursor.execute("SELECT %s::interval", params)
        assert cursor.fetchone() == (duration,)


def test_an_interval_of_months_is_refused(silent: DatabaseWrapper) -> None:
    with silent.cursor() as cursor:
        cursor.execute("SELECT '2 months'::interval")
        with pytest.raises(ValueError, match="'2 mons'"):
            cursor.fetchone()


# A pool ---------------------------------------------------------------------------------------------------


@pytest.fixture
def pooled(standin: DatabaseWrapper) -> Iterator[DatabaseWrapper]:
    """The alias `risingwave` with a pool of one connection."""
    settings = standin.settings_dict
    options = {**settings["OPTIONS"], "pool": {"min_size": 1, "max_size": 1}}
    pooled = DatabaseWrapper({**settings, "OPTIONS": options, "TIME_ZONE": "Asia/Kathmandu"}, "risingwave")
    connections["risingwave"] = pooled
    try:
        yield pooled
    finally:
        pooled.close()
        pooled.close_pool()
        connections["risingwave"] = standin


def backend(wrapper: DatabaseWrapper) -> int:
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_a_pooled_connection_is_reused(pooled: DatabaseWrapper) -> None:
    first = backend(pooled)
    pooled.close()
    assert pooled.connection is None
    assert backend(pooled) == first


def test_a_pooled_connection_is_set_up_as_any_other(pooled: DatabaseWrapper) -> None:
    assert pooled.get_autocommit()
    pooled.ensure_connection()
    assert pooled.connection.autocommit
    assert not pooled.is_risingwave
    with pooled.cursor() as cursor:
        cursor.execute("SELECT current_setting('TimeZone'), '1 day'::interval")
        assert cursor.fetchone() == ("Asia/Kathmandu", timedelta(days=1))
        assert pooled.connection.info.transaction_status == 0  # idle: libpq's PQTRANS_IDLE


def test_a_connection_returns_to_its_pool_without_open_cursors(pooled: DatabaseWrapper) -> None:
    with pooled.schema_editor() as editor:
        editor.create_model(Author)
    made = Author.objects.bulk_create(Author(name=str(n)) for n in range(10))
    rows = Author.objects.order_by("pk").iterator(chunk_size=2)
    assert next(rows) == made[0]
    del rows
    pooled.close()
    with pooled.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors WHERE name LIKE '%django%'")
        assert cursor.fetchone() == (0,)
    assert list(Author.objects.order_by("pk").iterator()) == made


def test_an_exhausted_pool_raises_operational_error(pooled: DatabaseWrapper) -> None:
    pooled.ensure_connection()
    pooled.pool.timeout = 1
    other = DatabaseWrapper(pooled.settings_dict, "risingwave")
    with pytest.raises(OperationalError, match="couldn't get a connection after"):
        other.ensure_connection()
    assert other.connection is None

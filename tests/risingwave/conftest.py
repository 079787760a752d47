from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections

from django_risingwave.testing.servers import doubled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_risingwave.testing.double import Double


@pytest.fixture
def connection(django_db_blocker: Any, django_db_setup: None) -> Iterator[Any]:
    """The alias `risingwave`, on the stand-in."""
    with django_db_blocker.unblock():
        connection = connections["risingwave"]
        if connection.is_risingwave:  # type: ignore[attr-defined]  # this backend's
            pytest.skip("takes the double for RisingWave")
        yield connection


@pytest.fixture
def double(connection: Any) -> Iterator[Double]:
    """A double of RisingWave between the alias and its stand-in."""
    with doubled(connection.alias) as double:
        yield double

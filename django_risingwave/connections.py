"""The connection to RisingWave, with its type: django.db.connections has the type of Django's base class."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from django_risingwave.routers import VENDOR, first_risingwave_alias

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper


def get_connection(using: str | None = None) -> DatabaseWrapper:
    """Return the connection of an alias, by default of the first in DATABASES that is on RisingWave.

    Raises ImproperlyConfigured if DATABASES has none, or if the alias is another database's, and
    ConnectionDoesNotExist for an unknown alias.
    """
    alias = using or first_risingwave_alias()
    if alias is None:
        raise ImproperlyConfigured('No database in DATABASES has ENGINE "django_risingwave". Add one.')
    connection = connections[alias]
    if connection.vendor != VENDOR:
        raise ImproperlyConfigured(
            f'The ENGINE of DATABASES[{alias!r}] must be "django_risingwave". Pass another alias.'
        )
    return cast("DatabaseWrapper", connection)

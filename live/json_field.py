"""A field for JSON that is written once and read as a whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


class TextJSONField(models.JSONField):
    """JSON that PostgreSQL keeps as it is written, as the type `json`.

    Many short texts and numbers take about half the space of jsonb, which has four bytes more for each, and
    which PostgreSQL compresses only in rows of 2 kB and more.
    https://www.postgresql.org/docs/18/storage-toast.html
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "json" if connection.vendor == "postgresql" else super().db_type(connection)

    def get_db_prep_value(
        self,
        value: Any,
        connection: BaseDatabaseWrapper,
        prepared: bool = False,  # noqa: FBT001, FBT002 - as Django has it
    ) -> Any:
        """Return the text: the adapters of Django's JSONField write jsonb."""
        return None if value is None else compact(value)

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        """Return the value. Both drivers parse `json` themselves, but not jsonb, as Django asks them."""
        return super().from_db_value(value, expression, connection) if isinstance(value, str) else value


def compact(value: Any) -> str:
    """Return JSON without spaces. Raises TypeError, ValueError for what isn't JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

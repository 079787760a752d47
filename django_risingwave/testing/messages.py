"""Messages for sources on the stand-in, where no connector brings any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import NotSupportedError, router

from django_risingwave.connections import get_connection
from django_risingwave.fields import RowIdField

if TYPE_CHECKING:
    from django.db.models import Model


def deliver(*messages: Model) -> None:
    """Let messages arrive at their sources on the stand-in: `deliver(Click(click_id="1", page="/"))`.

    The views over a source then have them, and changes are notified. A Source refuses create() and save(), as
    RisingWave refuses an INSERT into it. For a ConnectorTable, use create().

    Raises NotSupportedError on RisingWave, where the messages must be sent to the connector.
    """
    for message in messages:
        model = type(message)
        connection = get_connection(router.db_for_write(model))
        if connection.is_risingwave:
            raise NotSupportedError(
                "deliver() is for the stand-in. On RisingWave, send messages to the connector of "
                f"{model.__name__}."
            )
        fields = [field for field in model._meta.local_concrete_fields if not isinstance(field, RowIdField)]
        table = connection.ops.quote_name(model._meta.db_table)
        columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
        values = [field.get_db_prep_save(field.pre_save(message, add=True), connection) for field in fields]
        placeholders = ", ".join(["%s"] * len(values))
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {table} ({columns}) VALUES ({placeholders})", values)  # noqa: S608 - quoted

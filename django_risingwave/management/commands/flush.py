"""flush with one wait for the rows that Django's own apps create again, instead of one for each row."""

from __future__ import annotations

from typing import Any

from django.core.management.commands.flush import Command as FlushCommand
from django.core.management.sql import emit_post_migrate_signal
from django.db import connections

from django_risingwave.contrib_rows import create_contrib_rows
from django_risingwave.routers import VENDOR


class Command(FlushCommand):
    """Django's command. Tests call it after each test, for databases without transactions."""

    def handle(self, **options: Any) -> None:
        alias = options["database"]
        connection: Any = connections[alias]
        # Django's command doesn't tell whether the user has confirmed it.
        is_confirmed = not options["interactive"]
        if connection.vendor != VENDOR or not is_confirmed or options.get("inhibit_post_migrate"):
            super().handle(**options)
            return
        super().handle(**options | {"inhibit_post_migrate": True})
        # The receivers of the signal fail in a database without tables.
        if tables := connection.introspection.django_table_names(only_existing=True, include_views=False):
            create_contrib_rows(connection, tables)
            emit_post_migrate_signal(options["verbosity"], options["interactive"], alias)

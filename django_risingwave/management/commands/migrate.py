"""Django's migrate, which also knows of streaming models, and shows how far the builds of views are."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandError
from django.core.management.commands.migrate import Command as DjangoCommand

from django_risingwave.streaming.autodetector import RisingWaveAutodetector
from django_risingwave.streaming.declaring.declarations import DeclarationError
from django_risingwave.streaming.detecting.changed_models import CircularDefinitionsError
from django_risingwave.streaming.rebuilding.building import progress_written


class Command(DjangoCommand):
    """Find the changes of streaming models too, and show the progress of builds."""

    autodetector = RisingWaveAutodetector

    def handle(self, *args: Any, **options: Any) -> Any:
        """Raise CommandError, without a traceback, for a Stream that can't be read."""
        try:
            with progress_written(self.stdout if options["verbosity"] else None):
                return super().handle(*args, **options)
        except (CircularDefinitionsError, DeclarationError) as error:
            raise CommandError(str(error)) from error

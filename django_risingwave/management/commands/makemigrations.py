"""Django's makemigrations, which also writes the operations of streaming models."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandError
from django.core.management.commands.makemigrations import Command as DjangoCommand

from django_risingwave.streaming.autodetector import RisingWaveAutodetector
from django_risingwave.streaming.declaring.declarations import DeclarationError
from django_risingwave.streaming.detecting.changed_models import CircularDefinitionsError


class Command(DjangoCommand):
    """Find the changes of streaming models too."""

    autodetector = RisingWaveAutodetector

    def handle(self, *args: Any, **options: Any) -> Any:
        """Raise CommandError, without a traceback, for a Stream that can't be read."""
        try:
            return super().handle(*args, **options)
        except (CircularDefinitionsError, DeclarationError) as error:
            raise CommandError(str(error)) from error

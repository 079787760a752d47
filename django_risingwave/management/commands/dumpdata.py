"""dumpdata without the rows of read-only models, which RisingWave computes and loaddata couldn't write."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.commands.dumpdata import Command as DumpCommand

from django_risingwave.models import ReadOnlyModel


class Command(DumpCommand):
    """Django's command; a read-only model is dumped only if it is named: `dumpdata shop.StateTurnover`."""

    def handle(self, *app_labels: str, **options: Any) -> Any:
        named = {label.lower() for label in app_labels}
        read_only = [
            model._meta.label
            for model in apps.get_models()
            if issubclass(model, ReadOnlyModel) and model._meta.label_lower not in named
        ]
        return super().handle(*app_labels, **options | {"exclude": [*(options["exclude"] or ()), *read_only]})

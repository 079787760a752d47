from __future__ import annotations

from typing import Any

from django.core import checks
from django.core.management.commands.check import Command as CheckCommand

from django_risingwave.streaming.inspecting.drift import asked_for, check_drift

checks.register(check_drift, checks.Tags.database)


class Command(CheckCommand):
    """Django's command. With --database it also compares the models on RisingWave with the server."""

    def check(self, *args: Any, **kwargs: Any) -> Any:
        """Run the checks."""
        with asked_for():
            return super().check(*args, **kwargs)

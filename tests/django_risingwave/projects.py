"""Apps made for a test: their models are a text, and their migrations are those that Django writes."""

from __future__ import annotations

import sys
from importlib import invalidate_caches
from io import StringIO
from itertools import count
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.management import call_command

if TYPE_CHECKING:
    from pathlib import Path

    from django.db.models import Model

_numbers = count()


class App:
    """An app in a folder of its own, installed beside django_risingwave alone."""

    def __init__(self, folder: Path, settings: Any, models: str) -> None:
        # A name that no earlier test has left in the registry.
        self.label = f"made_{next(_numbers)}"
        package = folder / self.label
        (package / "migrations").mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "migrations" / "__init__.py").touch()
        (package / "models.py").write_text(models)
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
        invalidate_caches()
        settings.INSTALLED_APPS = ["django_risingwave", self.label]

    def models(self) -> dict[str, type[Model]]:
        """Return the models by table."""
        return {model._meta.db_table: model for model in apps.get_app_config(self.label).get_models()}

    def migrate(self) -> str:
        """Write the migrations and run them. Returns the SQL-free output of migrate."""
        self._call("makemigrations", self.label)
        return self._call("migrate", self.label, database="risingwave")

    def has_changes(self) -> bool:
        """Return whether makemigrations would write another migration."""
        try:
            self._call("makemigrations", self.label, check_changes=True, dry_run=True)
        except SystemExit:
            return True
        return False

    def check(self, **options: Any) -> str:
        """Return what `manage.py check --database risingwave` writes, which fails on warnings too."""
        err = StringIO()
        options = {"databases": ["risingwave"], "tags": ["database"], "stdout": StringIO()} | options
        call_command("check", self.label, stderr=err, **options)
        return err.getvalue()

    @staticmethod
    def _call(*args: str, **options: Any) -> str:
        out = StringIO()
        call_command(*args, stdout=out, **options)
        return out.getvalue()

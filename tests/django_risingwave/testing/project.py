"""A project of its own, whose DATABASES name servers that don't exist."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.environments import environ
from tests.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "manage.py": """\
import os, sys
from django.core.management import execute_from_command_line
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
""",
    "settings.py": """\
SECRET_KEY = "only for this test"
INSTALLED_APPS = ["django_risingwave", "shop"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
    "risingwave": {
        "ENGINE": "django_risingwave", "HOST": "risingwave.invalid", "PORT": 4566, "USER": "root",
        "PASSWORD": "secret", "NAME": "dev", "OPTIONS": {"sslmode": "require"},
    },
}
DATABASE_ROUTERS = ["django_risingwave.routers.RisingWaveRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
""",
    "pytest.ini": """\
[pytest]
DJANGO_SETTINGS_MODULE = settings
pythonpath = .
""",
    "shop/__init__.py": "",
    "shop/migrations/__init__.py": "",
    "shop/models.py": """\
from django.db import models
from django_risingwave.models import MaterializedView, RisingWaveModel

class Order(RisingWaveModel):
    id = models.IntegerField(primary_key=True)
    item = models.IntegerField()
    qty = models.IntegerField()

    class Meta(RisingWaveModel.Meta):
        db_table = "orders"

class ItemQuantity(MaterializedView):
    item = models.IntegerField(primary_key=True)
    quantity = models.BigIntegerField()

    class Meta(MaterializedView.Meta):
        db_table = "item_quantity"

    class Stream:
        query = "SELECT item, sum(qty) AS quantity FROM orders GROUP BY item"
""",
}


@dataclass
class TestedProject:
    """A project in `folder`, whose commands run in processes of their own."""

    folder: Path

    __test__ = False

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def run(self, *command: str, code: int = 0) -> str:
        """Run Python with these arguments, and return what it printed. It must end with this exit code."""
        path = os.pathsep.join([str(ROOT), str(self.folder)])
        environment = environ() | {"PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        ended = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
        assert ended.returncode == code, ended.stdout
        return ended.stdout


def create(folder: Path) -> TestedProject:
    """Create the project with its migration."""
    project = TestedProject(folder)
    for name, text in FILES.items():
        project.write(name, text)
    project.run("manage.py", "makemigrations", "shop")
    return project

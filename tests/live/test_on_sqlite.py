"""A project whose users are in SQLite: it has no history, and everything else."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from django.db import connections

from tests.conftest import BOTH
from tests.processes import ROOT, database_url

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = BOTH

SETTINGS = """
from config.settings import *
DATABASES["default"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
LIVE_OPEN = LIVE_HISTORY = LIVE_USER_RANKINGS = True
LIVE_REQUEST_WAIT_SECONDS = 30  # for a busy machine
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
DEBUG = False
"""
CODE = """
import django, sys; django.setup()
from django.core.management import call_command
from django.test import Client
from live.declared.registry import _read
print(_read(), file=sys.stderr)
call_command("migrate", verbosity=0)
for path in sys.argv[1:]:
    answer = Client(SERVER_NAME="localhost").get(path)
    print(path, answer.status_code, "No history is kept" in answer.content.decode(), flush=True)
from live.operators.doctor.databases import check_database
for finding in check_database("default"):
    print(finding.level, finding.subject, flush=True)
"""
PAGE = "/rankings/states-by-turnover/"


def test_the_pages_of_a_ranking_and_of_a_key_say_that_no_history_is_kept(orders, tmp_path: Path):
    orders((1, 2, 10.0, "Ohio"))
    (tmp_path / "on_sqlite.py").write_text(SETTINGS)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "on_sqlite",
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
        "SECRET_KEY": "secret",
        "DATABASE_URL": database_url(connections["default"]),
        "RISINGWAVE_URL": database_url(connections["risingwave"]),
    }
    paths = [PAGE, f"{PAGE}chart/", f"{PAGE}key/?key=%22Ohio%22", "/"]
    ran = subprocess.run(
        [sys.executable, "-c", CODE, *paths], env=environment, capture_output=True, text=True, check=True
    )
    assert "no such table: live_declaredranking). Run: manage.py migrate live" in ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[:4] == [*(f"{path} 200 True" for path in paths[:3]), "/ 200 False"]
    assert not [line for line in lines[4:] if line.startswith("problem")]

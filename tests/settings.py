"""Settings of the tests: the site's own, on a stand-in server that this process has to itself.

`tests.conftest` starts the server before the first test. A process that runs no tests itself, such as the one
that controls pytest-xdist's workers, starts none.
"""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from demo import postgres

# Container images often set this. Then each of the hundreds of processes that the tests start would compile
# Django and the project again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

folder = Path(tempfile.mkdtemp(prefix="standin-"))
atexit.register(shutil.rmtree, folder)
STANDIN_FOLDER = folder / "postgres"

# config.settings reads these, and the processes that the tests start inherit them. pytest-xdist's workers
# inherit them too, but need a server of their own: the first process notes whether it was given a RisingWave.
given = os.environ.setdefault("TESTS_RISINGWAVE_URL", os.environ.get("RISINGWAVE_URL", ""))
os.environ["SECRET_KEY"] = "only-for-tests"
os.environ["DATABASE_URL"] = postgres.url("dashboard", STANDIN_FOLDER)
os.environ["RISINGWAVE_URL"] = given or postgres.url("risingwave", STANDIN_FOLDER)
os.environ["LIVE_OPEN"] = "true"
os.environ["EXTRA_APPS"] = "demo.shop"
# No thread reads and writes beside the tests. Those of the history start it.
os.environ["LIVE_HISTORY"] = "false"
# Tests that declare rankings turn it on.
os.environ["LIVE_USER_RANKINGS"] = "false"
# Not the file of a demo that runs in this checkout.
os.environ["ENVIRONMENT_FILE"] = os.devnull

from config.settings import *  # noqa: E402, F403
from tests.processes import QUICK  # noqa: E402

globals().update(QUICK)

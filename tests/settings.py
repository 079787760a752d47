"""Settings of the tests: the project's own, on a stand-in server started for this run alone."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from demo import postgres

folder = Path(tempfile.mkdtemp(prefix="standin-"))
server = postgres.start(folder / "postgres")
# The last registered runs first.
atexit.register(shutil.rmtree, folder)
atexit.register(server.stop)

# Before config.settings reads them; processes that the tests start inherit them.
os.environ["SECRET_KEY"] = "only-for-tests"
os.environ["DATABASE_URL"] = postgres.url("dashboard", folder / "postgres")
os.environ.setdefault("RISINGWAVE_URL", postgres.url("risingwave", folder / "postgres"))
os.environ["LIVE_OPEN"] = "true"

from config.settings import *  # noqa: E402, F403

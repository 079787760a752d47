"""Settings for mypy's Django plugin: the site with the demo's shop. Nothing connects to these databases."""

import os

os.environ["SECRET_KEY"] = "only-for-types"
os.environ["DATABASE_URL"] = os.environ["RISINGWAVE_URL"] = "postgres:///types"
os.environ["EXTRA_APPS"] = "demo.shop"
os.environ["ENVIRONMENT_FILE"] = os.devnull

from config.settings import *  # noqa: F403

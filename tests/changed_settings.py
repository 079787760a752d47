"""Settings of a server that a test starts: the site's, and those that the test has changed."""

import json
import os

from config.settings import *  # noqa: F403

globals().update(json.loads(os.environ["CHANGED_SETTINGS"]))

"""The site's settings with cards that change four times a second, to send more in the same time."""

from config.settings import *  # noqa: F403 - Django's way to derive settings

LIVE_UPDATE_SECONDS = 0.25

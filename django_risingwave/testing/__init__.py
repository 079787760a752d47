"""Tools for the tests of projects that use RisingWave.

plugin      pytest: pytest_plugins = ["django_risingwave.testing.plugin"]
runner      manage.py test: TEST_RUNNER = "django_risingwave.testing.runner.StandInRunner"
servers     the stand-in that both start, and a double of RisingWave
freshness   waiting until what a test has written can be read
double      the double, which answers as RisingWave 2.8.0 has answered
transcripts, data    these answers
statements  the rules of what RisingWave refuses
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_risingwave.testing.freshness import fresh
    from django_risingwave.testing.servers import doubled, standin

__all__ = ["doubled", "fresh", "standin"]
_MODULES = {"doubled": "servers", "fresh": "freshness", "standin": "servers"}


def __getattr__(name: str) -> Any:
    # These modules import models and settings, which aren't ready yet when pytest loads plugin.
    if module := _MODULES.get(name):
        return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

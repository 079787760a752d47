"""The scenarios: functions that take a lab, do harm to a site, and judge what became of it."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults import scenarios

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.lab import Lab


@dataclass(frozen=True)
class Scenario:
    """A fault."""

    #: Of the command line.
    name: str
    #: What happens, as a sentence for the report.
    title: str
    #: The first line of its module's docstring, without the full stop.
    chapter: str
    #: Whether `make test` runs it too.
    is_quick: bool
    run: Callable[[Lab], None]


_SCENARIOS: dict[str, Scenario] = {}


def scenario(title: str, *, quick: bool = False) -> Callable[[Callable[[Lab], None]], Callable[[Lab], None]]:
    """Register a function as a scenario; its name with dashes is the scenario's."""

    def register(run: Callable[[Lab], None]) -> Callable[[Lab], None]:
        name = run.__name__.replace("_", "-")
        assert name not in _SCENARIOS, f"There are two scenarios {name}."
        chapter = (sys.modules[run.__module__].__doc__ or "").partition("\n")[0].rstrip(".")
        _SCENARIOS[name] = Scenario(name, title, chapter, quick, run)
        return run

    return register


def all_scenarios() -> dict[str, Scenario]:
    """Import the modules in scenarios/ and return what they have registered, by name."""
    for module in pkgutil.iter_modules(scenarios.__path__):
        importlib.import_module(f"{scenarios.__name__}.{module.name}")
    return dict(_SCENARIOS)

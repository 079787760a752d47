"""What a scenario works with: a site on real servers, what it loads the site with, and where figures go."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from tests import processes
from tests.faults.environment import manage
from tests.faults.pages import Pages
from tests.faults.postgres import Postgres, create_template
from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from pathlib import Path


class SkippedError(Exception):
    """The scenario can't run on this machine. The message says what is missing and how to install it."""


class BrokenPromiseError(AssertionError):
    """A figure is beyond its bound."""


class Templates:
    """Data directories that servers get copies of, and the static files, each created when first needed."""

    def __init__(self, folder: Path, migrated: Path | None = None) -> None:
        """Create them in `folder`; take `migrated` if there is one already."""
        self.folder = folder
        if migrated:
            self.migrated = migrated

    @cached_property
    def migrated(self) -> Path:
        """Both databases with their tables and no rows."""
        return create_template(self.folder / "migrated", migrated=True)

    @cached_property
    def empty(self) -> Path:
        """Both databases without tables."""
        return create_template(self.folder / "empty", migrated=False)

    @cached_property
    def static(self) -> Path:
        """The collected static files."""
        folder = self.folder / "static"
        manage("collectstatic", "--no-input", "--verbosity", "0", STATIC_ROOT=str(folder))
        return folder


class Lab:
    """One scenario's servers and figures. `with` stops what it has started."""

    def __init__(self, folder: Path, templates: Templates, *, judges_time: bool = True) -> None:
        """Create no folder yet. Without `judges_time`, no number of seconds is too many."""
        self.folder, self.templates, self.judges_time = folder, templates, judges_time
        self.stack = ExitStack()
        #: What the scenario has measured, as texts for the report.
        self.figures: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()

    def databases(self, *, folder: Path | None = None) -> tuple[Database, Database]:
        """Start the database of the users and that of the rankings, each behind a proxy."""
        users = Database(self, "dashboard", "users")
        return users, Database(self, "risingwave", "rankings", folder)

    @cached_property
    def pages(self) -> Pages:
        """A Chromium. Raises SkippedError if there is none."""
        if processes.CHROMIUM is None:
            raise SkippedError("No Chromium was found. Install it: apt install chromium")
        return self.stack.enter_context(Pages(processes.CHROMIUM))

    def record(self, label: str, value: float, unit: str = "", *, bound: float) -> None:
        """Record a figure for the report. Raises BrokenPromiseError if it is more than `bound`."""
        shown = f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
        self.figures[label] = f"{shown} {unit}".strip() + f" (at most {bound:g})"
        if value > bound and (self.judges_time or unit != "s"):
            raise BrokenPromiseError(f"{label}: {shown} {unit}, more than {bound:g}")

    def note(self, label: str, text: str) -> None:
        """Record a text for the report."""
        self.figures[label] = text


class Database:
    """A server with one database that the site uses, behind a proxy."""

    def __init__(self, lab: Lab, database: str, name: str, folder: Path | None = None) -> None:
        self.database = database
        self.server = Postgres(folder or lab.folder / name, lab.templates.migrated)
        lab.stack.callback(self.server.stop)
        self.proxy = lab.stack.enter_context(Proxy(self.server.port))
        #: What the site connects to.
        self.url = self.server.url(database, self.proxy.port)

    def query(self, statement: str, *parameters: object) -> Any:
        """Run a statement at the server itself, past the proxy; return the first value of its first row."""
        return self.server.query(statement, *parameters, database=self.database)

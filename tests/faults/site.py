"""The site's processes, on the databases of a lab."""

from __future__ import annotations

import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests import processes
from tests.faults.environment import ENVIRONMENT
from tests.faults.logs import LogCount
from tests.faults.users import add_user

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

    from tests.faults.lab import Database, Lab
    from tests.processes import Server


@dataclass(frozen=True)
class Answer:
    """A response over HTTP."""

    status: int
    headers: Message
    body: str


class Served:
    """What can be asked for pages."""

    servers: list[Server]
    #: Sent with requests that have no cookie of their own.
    cookie = ""

    def get(self, path: str, which: int = 0, timeout: float = 30, **headers: str) -> Answer:
        """Request a page of one server, without following redirects. Raises OSError without an answer."""
        headers = {"Cookie": self.cookie, **headers}
        names = {name.replace("_", "-"): value for name, value in headers.items() if value}
        request = urllib.request.Request(f"{self.servers[which].url}{path}", headers=names)
        try:
            with OPENER.open(request, timeout=timeout) as response:
                return Answer(response.status, response.headers, response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read().decode())


class Site(Served):
    """Processes of the dashboard, all alike; each can be ended and started again, at its port."""

    def __init__(
        self,
        lab: Lab,
        users: Database,
        rankings: Database,
        *,
        count: int = 2,
        environment: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        **settings: object,
    ) -> None:
        """Start `count` processes by the command `prefix`, if there is one.

        `settings` are Django's, and their values must be JSON's.
        """
        self.users, self.rankings = users, rankings
        self.environment = (
            ENVIRONMENT
            | {
                "DATABASE_URL": users.url,
                "RISINGWAVE_URL": rankings.url,
                "STATIC_ROOT": str(lab.templates.static),
            }
            | (processes.changed(**settings) if settings else {})
            | dict(environment or {})
        )
        self.prefix = prefix
        self.lab, self.stack = lab, lab.stack.enter_context(ExitStack())
        self.servers: list[Server] = []
        for which in range(count):
            self.servers.append(self.start(which))

    def start(
        self, which: int, port: int | None = None, environment: Mapping[str, str] | None = None
    ) -> Server:
        """Start a process, and return it once it answers."""
        log = self.lab.folder / f"web{which}.log"
        server = processes.daphne(self.environment | dict(environment or {}), log, port, prefix=self.prefix)
        return self.stack.enter_context(server)

    def restart(self, which: int, how: str = "terminate") -> None:
        """End a process with the method `how` of Popen, "kill" or "terminate", and start it at its port."""
        process = self.servers[which].process
        getattr(process, how)()
        process.wait(processes.DEADLINE_SECONDS)
        self.servers[which] = self.start(which, int(self.servers[which].host.rpartition(":")[2]))

    def add_user(self, name: str) -> str:
        """Insert a user with PASSWORD, and a session of his; return the session's cookie."""
        return add_user(self.users, name)

    def logs(self) -> LogCount:
        """Count the lines that the processes have logged so far."""
        return LogCount([server.log for server in self.servers])


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


OPENER = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))

"""nginx in front of a site, as in examples/nginx/dashboard.conf, without TLS: thousands of clients would
measure that."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from tests import nginx, processes
from tests.faults.lab import SkippedError
from tests.faults.site import Served
from tests.processes import Server, free_port

if TYPE_CHECKING:
    from tests.faults.lab import Lab
    from tests.faults.site import Site

#: Two for each socket.
CONNECTIONS = 20_000


class Balancer(Served):
    """nginx, at the address of its only server."""

    def __init__(self, lab: Lab, site: Site) -> None:
        """Start nginx in front of the processes of a site. Raises SkippedError if there is none."""
        if processes.NGINX is None:
            raise SkippedError("No nginx was found. Install it: apt install nginx")
        self.folder = lab.folder / "nginx"
        self.folder.mkdir()
        port = free_port()
        (self.folder / "dashboard.conf").write_text(example([server.host for server in site.servers], port))
        main = self.folder / "nginx.conf"
        main.write_text(
            nginx.MAIN.format(folder=self.folder, user="user root;" if os.geteuid() == 0 else "").replace(
                "worker_connections 1024;", f"worker_connections {CONNECTIONS};"
            )
        )
        lab.stack.enter_context(nginx.nginx(processes.NGINX, main, port))
        # Only its address matters.
        self.servers = [Server(f"127.0.0.1:{port}", site.servers[0].process, self.folder / "access.log")]

    @property
    def host(self) -> str:
        return self.servers[0].host

    def statuses(self) -> dict[int, int]:
        """Return how often each status was an answer, by nginx's own log. Sockets count when they end."""
        statuses = [int(line[:3]) for line in self.servers[0].log.read_text().splitlines()]
        return {status: statuses.count(status) for status in sorted(set(statuses))}


def example(hosts: list[str], port: int) -> str:
    """Return the example with these processes, without TLS, at this port."""
    text = nginx.example(nginx.Limits())
    upstream = re.compile(r"( *server) 127\.0\.0\.1:800\d( .*)\n")
    first = upstream.search(text)
    assert first, "The example has no process at 127.0.0.1:8001."
    text = upstream.sub("", text)
    text = (
        text[: first.start()]
        + "".join(f"{first[1]} {host}{first[2]}\n" for host in hosts)
        + text[first.start() :]
    )
    text = re.sub(r"listen 80\b[^;]*;", f"listen 127.0.0.1:{free_port()};", text)
    text = re.sub(r"listen 443 ssl([^;]*);", rf"listen 127.0.0.1:{port}\1;", text)
    text = re.sub(r" *ssl_.*;\n", "", text)
    # Without static files of its own, as the example allows.
    return re.sub(r"try_files \$uri @dashboard;", "try_files /nowhere @dashboard;", text)

"""nginx and two processes of the dashboard behind it, as in examples/nginx/dashboard.conf."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests import processes
from tests.processes import ROOT, Server, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLE = ROOT / "examples" / "nginx" / "dashboard.conf"
MAIN = """
daemon off;
{user}
worker_processes 2;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
    include /etc/nginx/mime.types;
    log_format tries '$status, after $upstream_status in $upstream_response_time s from $upstream_addr';
    access_log {folder}/access.log tries;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/dashboard.conf;
}}
"""


class Site:
    """nginx and two processes of the dashboard; each can be ended and started again, at its port."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment, self.folder = environment, folder
        self.port, self.plain_port, *self.ports = (free_port() for _ in range(4))
        self.url = f"https://127.0.0.1:{self.port}"
        self.socket_url = f"wss://127.0.0.1:{self.port}/ws/rankings/"
        self.servers: dict[int, Server] = {}
        self.stack = ExitStack()

    def start(self, which: int) -> None:
        server = processes.daphne(self.environment, self.folder / f"log{which}", self.ports[which])
        self.servers[which] = self.stack.enter_context(server)

    def end(self, which: int, how: str) -> None:
        """End a process with the method `how` of Popen: "kill" or "terminate"."""
        process = self.servers[which].process
        getattr(process, how)()
        process.wait(60)

    def roll(self, how: str) -> Iterator[None]:
        """End one process after the other; yield while it is down, then start it again."""
        for which in (0, 1):
            self.end(which, how)
            yield
            self.start(which)


@dataclass
class Limits:
    """What one address may take of nginx: by default more than a test does."""

    requests_per_second: int = 100_000
    burst: int = 100_000
    connections: int = 60_000


def example(limits: Limits) -> str:
    """Return the example for a site at 127.0.0.1, with these limits."""
    return replaced(
        EXAMPLE.read_text(),
        ("live.example.com", "127.0.0.1"),
        ("rate=100r/s;", f"rate={limits.requests_per_second}r/s;"),
        ("burst=400 ", f"burst={limits.burst} "),
        ("dashboard_connections 500;", f"dashboard_connections {limits.connections};"),
    )


def replaced(text: str, *changes: tuple[str, str]) -> str:
    """Replace each first text by the second one; the first must be there."""
    for theirs, ours in changes:
        assert theirs in text, theirs
        text = text.replace(theirs, ours)
    return text


def configure(site: Site, folder: Path, limits: Limits) -> Path:
    """Write the example with the ports and folders of this test; return the file to start nginx with."""
    text = replaced(
        example(limits),
        ("listen 80;", f"listen 127.0.0.1:{site.plain_port};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{site.port} ssl;"),
        ("server 127.0.0.1:8001 ", f"server 127.0.0.1:{site.ports[0]} "),
        ("server 127.0.0.1:8002 ", f"server 127.0.0.1:{site.ports[1]} "),
        ("/etc/nginx/dashboard.crt;", f"{folder}/dashboard.crt;"),
        ("/etc/nginx/dashboard.key;", f"{folder}/dashboard.key;"),
        ("root /srv/dashboard;", f"root {folder};"),
    )
    (folder / "dashboard.conf").write_text(text)
    (folder / "static").symlink_to(site.environment["STATIC_ROOT"])
    main = folder / "nginx.conf"
    # The worker has to read what root has made.
    main.write_text(MAIN.format(folder=folder, user="user root;" if os.geteuid() == 0 else ""))
    return main


def certify(folder: Path) -> None:
    """Write a certificate for 127.0.0.1 that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dashboard")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "dashboard.crt").write_bytes(certificate.public_bytes(pem))
    (folder / "dashboard.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@contextmanager
def nginx(program: str, configuration: Path, port: int) -> Iterator[None]:
    """Run nginx until the block ends; it listens when the block begins."""
    log = configuration.with_name("nginx.log")
    with log.open("wb") as output:
        process = subprocess.Popen([program, "-c", configuration], stderr=output)

    def listens() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(listens, log.read_text)
        yield
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def behind_nginx(
    program: str, environment: dict[str, str], folder: Path, limits: Limits | None = None
) -> Iterator[Site]:
    """Run two processes behind nginx; this process and its children trust its certificate."""
    site = Site(environment | {"HTTPS": "true"}, folder)
    certify(folder)
    with pytest.MonkeyPatch.context() as patch, site.stack:
        patch.setenv("SSL_CERT_FILE", str(folder / "dashboard.crt"))
        site.stack.enter_context(nginx(program, configure(site, folder, limits or Limits()), site.port))
        site.start(0)
        site.start(1)
        yield site

"""The demo's web server: Daphne, in a process of its own."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import time
from typing import TYPE_CHECKING

from django.conf import settings

from demo.console import say
from demo.errors import DemoError
from demo.processes import MAX_RESTARTS, RESTARTS_SECONDS, Child, Restarts

if TYPE_CHECKING:
    from demo.configuration import Configuration

#: Seconds until the page must answer: enough for a busy machine.
STARTUP_SECONDS = 60
#: Seconds between two requests for a page that doesn't answer yet.
POLL_SECONDS = 0.02
#: Connections that may wait to be accepted. With Twisted's default of 50, most of thousands of viewers who
#: reconnect at the same moment would have to try again.
#: https://docs.twisted.org/en/stable/core/howto/endpoints.html
BACKLOG = 2048
#: Time after which Daphne answers 503 in place of an application that doesn't. Daphne itself waits for ever.
ANSWER_SECONDS = 60
#: Bytes of a WebSocket message. What browsers and programs send is far shorter.
MAX_MESSAGE_BYTES = 4096


def find_ip(configuration: Configuration) -> str:
    """Resolve HOST and check that PORT is free there. Raises DemoError."""
    host, port = configuration.host, configuration.port
    try:
        family, _, _, _, (ip, *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server((str(ip), port), family=family).close()
    except socket.gaierror as error:
        raise DemoError(
            f"HOST={host} can't be resolved: {error.strerror}. Unset HOST to use 127.0.0.1, "
            "or set it to an address of this machine."
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise DemoError(
                f"Port {port} is already in use. Choose another port: make demo PORT={port + 1}"
            ) from error
        raise DemoError(
            f"Can't listen on HOST={host}, PORT={port}: {os.strerror(error.errno or 0)}. "
            "HOST must be an address of this machine, and ports below 1024 may need root."
        ) from error
    return str(ip)


def load(ip: str, port: int) -> Child:
    """Load Daphne and the application in a process that listens once it is released."""
    # A colon would end the argument of Twisted's endpoint string: IPv6 addresses need backslashes.
    interface = ip.replace(":", "\\:")
    return Child(
        "daphne",
        *("--endpoint", f"tcp:{port}:interface={interface}:backlog={BACKLOG}"),
        *("--verbosity", "0"),
        *("--http-timeout", str(ANSWER_SECONDS)),
        # Sockets stay open as long as the page. Daphne's pings detect those whose browser is gone.
        *("--websocket_timeout", "-1"),
        *("--websocket-max-message-size", str(MAX_MESSAGE_BYTES)),
        *("--websocket-max-frame-size", str(MAX_MESSAGE_BYTES)),
    )


def restart(ip: str, port: int, server: Child, restarts: Restarts) -> Child:
    """Start the web server again after it has stopped. Raises DemoError if it stops again and again."""
    reason = f"The web server stopped with exit code {server.exit_code}"
    if not restarts.allow():
        raise DemoError(f"{reason}, {MAX_RESTARTS + 1} times within {RESTARTS_SECONDS} s. Its log is above.")
    say(f"{reason}; restarting it")
    server = load(ip, port)
    server.release()
    return server


def wait_for_page(ip: str, port: int, server: Child) -> None:
    """Wait until the page answers, even with a redirect to the login. Raises DemoError if it doesn't."""
    host = next((host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"), "localhost")
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        check(server)
        # A connection to a wildcard address goes to loopback.
        connection = http.client.HTTPConnection(ip, port, timeout=STARTUP_SECONDS)
        try:
            connection.request("GET", "/", headers={"Host": host})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            time.sleep(POLL_SECONDS)
        else:
            return
        finally:
            connection.close()
    raise DemoError(f"The web server doesn't answer within {STARTUP_SECONDS} s. Its log is above.")


def check(server: Child) -> None:
    """Raise DemoError if the web server has stopped."""
    if server.exit_code is not None:
        raise DemoError(f"The web server stopped with exit code {server.exit_code}. Its log is above.")

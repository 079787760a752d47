"""`make demo`: brings up all that the dashboard needs, keeps it up, and takes it down again.

What can go wrong on somebody's machine ends it with a line or two and exit code 1. docs/settings.md describes
the variables.
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import os
import secrets
import shutil
import socket
import sys
import time
from contextlib import ExitStack

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from demo import folder, postgres
from demo.options import DemoError, Options
from demo.processes import Child, end_on_signals, ignore_signals, signals_held, stop

#: Seconds within which the page must answer.
STARTUP = 60
#: Seconds between two looks at what runs, and before what ended is started again.
WATCH, AGAIN = 0.5, 5
#: Connections that may wait to be accepted. https://docs.twisted.org/en/stable/core/howto/endpoints.html
BACKLOG = 2048
BACKSLASHED_COLON = "\\:"
#: Bytes. All that a browser or a program has to say to the socket is a few words.
LARGEST_MESSAGE = 4096


def main() -> int:
    """Run until Ctrl-C, and return the exit code."""
    end_on_signals()
    with ExitStack() as ending:
        try:
            run(Options.read(os.environ), ending)
        except KeyboardInterrupt:
            say("Ending")
        except (DemoError, postgres.StandinError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
        finally:
            ignore_signals()
    return 0


def run(options: Options, ending: ExitStack) -> None:
    """Take the steps, one after the other; `ending` gets what undoes them."""
    lock(options, ending)
    if options.reset:
        reset()
    ip = find_ip(options)
    if options.needs_standin:
        say("Starting PostgreSQL in RisingWave's place")
        # Ctrl-C halfway would leave it running.
        with signals_held():
            ending.callback(postgres.start().stop)
    set_environment(options)
    try:
        django.setup()
    except (ImproperlyConfigured, ValueError) as error:
        raise DemoError(f"The settings are wrong: {error}") from error
    from demo import preparation  # noqa: PLC0415 - not before django.setup()

    preparation.connect()
    preparation.collect_static(say)
    children: list[Child] = []
    ending.callback(stop, children)
    server = load_server(ip, options.port)
    children.append(server)
    preparation.prepare_databases(say)
    say("Starting the web server")
    server.release()
    password = preparation.make_login()
    connections.close_all()
    wait_for_page(ip, options.port, server)
    greet(options, password)
    watch(options, server, children)


def say(text: str) -> None:
    """Tell people what goes on."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def lock(options: Options, ending: ExitStack) -> None:
    """Keep a second `make demo` off the data. Raises DemoError if this is the second."""
    try:
        folder.DEMO_DIR.mkdir(parents=True, exist_ok=True)
        file = ending.enter_context(folder.LOCK.open("a+"))
    except OSError as error:
        raise DemoError(
            f"Can't write to {folder.DEMO_DIR}: {error}. DEMO_DIR may name another folder."
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise DemoError(f"make demo runs already, on the data in {folder.DEMO_DIR}: {file.read()}") from None
    file.truncate(0)
    file.write(f"process {os.getpid()}, {url(options)}")
    file.flush()


def reset() -> None:
    """Delete what earlier runs left, and only that, wherever DEMO_DIR may point to."""
    say("Forgetting all orders and users of the demo")
    postgres.remove(folder.POSTGRES)
    shutil.rmtree(folder.STATIC, ignore_errors=True)
    for file in (folder.STATIC_FINGERPRINT, folder.PASSWORD, folder.SECRET_KEY):
        file.unlink(missing_ok=True)


def find_ip(options: Options) -> str:
    """Look HOST up, and make sure that PORT is free there. Raises DemoError."""
    host, port = options.host, options.port
    try:
        family, _, _, _, (ip, *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server((str(ip), port), family=family).close()
    except socket.gaierror as error:
        raise DemoError(f"HOST={host}: {error.strerror}. Usual are 127.0.0.1 and 0.0.0.0.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise DemoError(f"Port {port} is taken. Choose another: PORT={port + 1} make demo") from error
        raise DemoError(f"Can't listen on {host}, port {port}: {os.strerror(error.errno or 0)}.") from error
    return str(ip)


def set_environment(options: Options) -> None:
    """Set what the settings read, here and in the child processes. What the user has set stays."""
    secret_key = folder.read_secret(folder.SECRET_KEY)
    if not secret_key:
        secret_key = secrets.token_urlsafe(50)
        folder.write_secret(folder.SECRET_KEY, secret_key)
    hosts = ["localhost", "127.0.0.1", "[::1]"]
    if not (options.is_loopback or options.is_wildcard):
        hosts.append(in_url(options.host))
    defaults = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": postgres.url("dashboard"),
        "RISINGWAVE_URL": postgres.url("risingwave"),
        "SECRET_KEY": secret_key,
        "STATIC_ROOT": str(folder.STATIC),
        "ALLOWED_HOSTS": ",".join(hosts),
        # Open to anyone who can connect, which on loopback are those at this machine.
        "LIVE_OPEN": "true" if options.is_loopback else "false",
    }
    os.environ.update({name: value for name, value in defaults.items() if not os.environ.get(name)})


def load_server(ip: str, port: int) -> Child:
    """Load Daphne and the application; it listens once it is released."""
    return Child(
        "daphne",
        # The colons of IPv6 would end the argument. With Twisted's own backlog of 50, of thousands that come
        # back at the same time most would wait for their system's next attempts.
        *("--endpoint", f"tcp:{port}:interface={ip.replace(':', BACKSLASHED_COLON)}:backlog={BACKLOG}"),
        *("--verbosity", "0"),
        # Sockets stay for as long as the page does. Whoever is gone is found out by Daphne's pings.
        *("--websocket_timeout", "-1"),
        *("--websocket-max-message-size", str(LARGEST_MESSAGE)),
        *("--websocket-max-frame-size", str(LARGEST_MESSAGE)),
    )


def wait_for_page(ip: str, port: int, server: Child) -> None:
    """Wait until the page answers, be it with a request to log in. Raises DemoError if it doesn't."""
    host = next((host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"), "localhost")
    until = time.monotonic() + STARTUP
    while time.monotonic() < until:
        check_server(server)
        # To a wildcard address the system connects on loopback.
        connection = http.client.HTTPConnection(ip, port, timeout=STARTUP)
        try:
            connection.request("GET", "/", headers={"Host": host})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
        else:
            return
        finally:
            connection.close()
    raise DemoError(f"The web server does not answer within {STARTUP} s.")


def check_server(server: Child) -> None:
    """Raise DemoError if Daphne ended."""
    if server.exit_code is not None:
        raise DemoError(f"The web server ended by itself, with exit code {server.exit_code}.")


def url(options: Options) -> str:
    """The address of the site, as to be typed at this machine."""
    return f"http://{in_url('localhost' if options.is_wildcard else options.host)}:{options.port}/"


def in_url(host: str) -> str:
    """The host as a URL has it: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def greet(options: Options, password: str | None) -> None:
    """Say where it all is, and how to log in."""
    login = f"demo, password {password}" if password else "demo, with the password you gave it"
    say(
        f"\n  The dashboard  {url(options)}"
        f"\n  The admin      {url(options)}admin/"
        f"\n  Log in as      {login}\n"
    )
    if options.is_wildcard:
        say(f"Others reach it by the names in ALLOWED_HOSTS: {', '.join(settings.ALLOWED_HOSTS)}")
    say("Ctrl-C ends it.")


def watch(options: Options, server: Child, children: list[Child]) -> None:
    """Keep PostgreSQL and the order generator up, until Ctrl-C. Raises DemoError when the web server ends."""
    generator: Child | None = None
    generate_at = revive_at = 0.0
    while True:
        check_server(server)
        now = time.monotonic()
        if options.needs_standin and now >= revive_at and not postgres.is_running(folder.POSTGRES):
            revive_at = now + AGAIN
            revive_standin()
        if generator and generator.exit_code is not None:
            say(f"The order generator ended, with exit code {generator.exit_code}. Again in {AGAIN} s.")
            children.remove(generator)
            generator, generate_at = None, now + AGAIN
        if options.generate_rate and not generator and now >= generate_at:
            generator = Child("generate_orders", "--rate", f"{options.generate_rate:g}", "--verbosity", "0")
            children.append(generator)
            generator.release()
        time.sleep(WATCH)


def revive_standin() -> None:
    """Start PostgreSQL again after it crashed or was killed. Raises DemoError when its data are gone."""
    if not (folder.POSTGRES / "PG_VERSION").exists():
        raise DemoError(f"The data in {folder.POSTGRES} were deleted while they were in use.")
    say("PostgreSQL ended by itself, starting it again")
    try:
        with signals_held():
            postgres.start()
    except postgres.StandinError as error:
        say(str(error))


if __name__ == "__main__":
    sys.exit(main())

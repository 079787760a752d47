"""Starts everything that the dashboard needs, keeps it running, and stops it on Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from contextlib import ExitStack

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from demo import folder, postgres, web_server
from demo.configuration import Configuration
from demo.console import say
from demo.environment import set_environment, write_environment_file
from demo.errors import DemoError
from demo.processes import Child, Restarts, hold_signals, ignore_signals, interrupt_on_signals, stop
from django_risingwave import embedded

#: Seconds between two checks that everything runs: a crash is reported within a second.
POLL_SECONDS = 0.5
#: Seconds before a program that stopped is started again: one that can't start mustn't keep a core busy.
RESTART_SECONDS = 2


def main(*, is_board: bool = False) -> int:
    """Run the demo, or a board, until Ctrl-C, and return the exit code. Expected errors are a line or two."""
    interrupt_on_signals()
    with ExitStack() as cleanup:
        try:
            run(Configuration.from_environment(os.environ, is_board=is_board), cleanup)
        except KeyboardInterrupt:
            say("Stopping")
        except (DemoError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
        finally:
            ignore_signals()
    return 0


def run(configuration: Configuration, cleanup: ExitStack) -> None:
    """Take the steps one after another; each adds what undoes it to `cleanup`. Raises DemoError."""
    lock(configuration, cleanup)
    if configuration.reset:
        reset()
    ip = web_server.find_ip(configuration)
    if configuration.needs_postgres:
        in_place = " in place of RisingWave" if configuration.needs_standin else ""
        say(f"Starting PostgreSQL{in_place}")
        # Ctrl-C halfway would leave the server running.
        with hold_signals():
            cleanup.callback(postgres.start().stop)
    set_environment(configuration)
    try:
        django.setup()
    except (ImproperlyConfigured, ImportError, ValueError) as error:
        raise DemoError(f"The settings can't be loaded: {error}") from error
    from demo import preparation  # noqa: PLC0415 - imports models, which need django.setup()

    preparation.connect()
    write_environment_file()
    preparation.collect_static_files()
    children: list[Child] = []
    cleanup.callback(stop, children)
    server = web_server.load(ip, configuration.port)
    children.append(server)
    preparation.prepare_databases(is_board=configuration.is_board)
    if not configuration.is_board:
        from demo import first_orders  # noqa: PLC0415 - as above

        first_orders.insert_first_orders()
    say("Starting the web server")
    server.release()
    generator = None
    if configuration.generate_rate:
        # Before the page is there, so that it changes from the beginning.
        generator = start_generator(configuration.generate_rate)
        children.append(generator)
    password = preparation.create_user()
    connections.close_all()
    web_server.wait_for_page(ip, configuration.port, server)
    greet(configuration, password)
    keep_running(configuration, ip, server, generator, children)


def lock(configuration: Configuration, cleanup: ExitStack) -> None:
    """Keep a second demo off the data. Raises DemoError if this is the second."""
    try:
        folder.DEMO_DIR.mkdir(parents=True, exist_ok=True)
        file = cleanup.enter_context(folder.LOCK.open("a+"))
    except OSError as error:
        raise DemoError(
            f"Can't write to {folder.DEMO_DIR}: {error.strerror}. Set DEMO_DIR to a writable folder."
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise DemoError(
            f"The demo is already running ({file.read()}) on the data in {folder.DEMO_DIR}. "
            "Stop it first, or set DEMO_DIR to another folder."
        ) from None
    file.truncate(0)
    file.write(f"PID {os.getpid()}, {configuration.url}")
    file.flush()


def reset() -> None:
    """Delete what earlier demos left, and nothing else: DEMO_DIR may be a folder with other files."""
    say("Deleting the orders and users of the demo")
    postgres.remove(folder.POSTGRES)
    shutil.rmtree(folder.STATIC, ignore_errors=True)
    for file in (folder.STATIC_FINGERPRINT, folder.PASSWORD, folder.SECRET_KEY, folder.ENVIRONMENT):
        file.unlink(missing_ok=True)


def greet(configuration: Configuration, password: str | None) -> None:
    """Print the addresses and the login."""
    login = f"demo, password {password}" if password else "demo, with the password that you set"
    lines = [
        f"Dashboard  {configuration.url}",
        f"Add one    {configuration.url}rankings/new/" if configuration.is_board else "",
        f"Admin      {configuration.url}admin/",
        f"Login      {login}",
    ]
    say("\n" + "".join(f"  {line}\n" for line in lines if line))
    if configuration.is_wildcard:
        say(f"Other machines can use the host names in ALLOWED_HOSTS: {', '.join(settings.ALLOWED_HOSTS)}")
    say("Press Ctrl-C to stop.")


def start_generator(rate: float) -> Child:
    """Start to insert order lines, that many a second."""
    generator = Child("generate_orders", "--rate", f"{rate:g}", "--verbosity", "0")
    generator.release()
    return generator


def keep_running(
    configuration: Configuration, ip: str, server: Child, generator: Child | None, children: list[Child]
) -> None:
    """Restart what stops. Raises DemoError if the web server or PostgreSQL stops again and again."""
    generator_start = postgres_start = 0.0
    server_restarts, postgres_restarts = Restarts(), Restarts()
    while True:
        if server.exit_code is not None:
            children.remove(server)
            server = web_server.restart(ip, configuration.port, server, server_restarts)
            children.append(server)
        now = time.monotonic()
        if (
            configuration.needs_postgres
            and now >= postgres_start
            and not postgres.is_running(folder.POSTGRES)
        ):
            postgres_start = now + RESTART_SECONDS
            restart_postgres(postgres_restarts)
        if generator and generator.exit_code is not None:
            say(
                f"The order generator stopped with exit code {generator.exit_code}; "
                f"restarting it in {RESTART_SECONDS} s"
            )
            children.remove(generator)
            generator, generator_start = None, now + RESTART_SECONDS
        if configuration.generate_rate and not generator and now >= generator_start:
            generator = start_generator(configuration.generate_rate)
            children.append(generator)
        time.sleep(POLL_SECONDS)


def restart_postgres(restarts: Restarts) -> None:
    """Start PostgreSQL again after a crash. Raises DemoError if its data are gone or it keeps stopping."""
    if not (folder.POSTGRES / "PG_VERSION").exists():
        raise DemoError(
            f"The data in {folder.POSTGRES} were deleted while PostgreSQL was running. "
            "Start the demo again: make demo"
        )
    reason = embedded.last_failure(folder.POSTGRES)
    why = f" ({reason})" if reason else ""
    if not restarts.allow():
        raise DemoError(f"PostgreSQL stops again and again{why}. Its log is {folder.POSTGRES / 'log'}.")
    say(f"PostgreSQL stopped unexpectedly{why}; restarting it")
    try:
        with hold_signals():
            postgres.start()
    except postgres.PostgresError as error:
        say(str(error))

"""Prepares the static files and the databases. Each step first checks whether there is anything to do.

This module imports models, so it can be imported only after django.setup().
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import Error, NotSupportedError, connections
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Q

from demo import folder
from demo.console import say
from demo.databases import describe, first_line
from demo.errors import DemoError
from demo.processes import hold_signals
from demo.shop.old_label import has_old_label, rename_old_label

#: The alias of each database, and the variable that holds its URL.
DATABASES = {"default": "DATABASE_URL", "risingwave": "RISINGWAVE_URL"}
USERNAME = "demo"
#: The user's permissions. There is no shop on a board.
PERMISSIONS = Q(content_type__app_label="live", codename="add_ranking") | Q(
    content_type__app_label="demo_shop", codename="view_order"
)


def connect() -> None:
    """Connect to both databases. Raises DemoError if a server can't be reached or is too old."""
    for alias, variable in DATABASES.items():
        connection = connections[alias]
        try:
            connection.ensure_connection()
        except NotSupportedError as error:
            raise DemoError(
                f"The {describe(connection)} can't be used: {first_line(error)}\n"
                f"Set {variable} to a newer server."
            ) from error
        except Error as error:
            raise DemoError(
                f"Can't reach the {describe(connection)}: {first_line(error)}\n"
                f"Check that the server runs, and the host, port, name, user and password in {variable}."
            ) from error


def collect_static_files() -> None:
    """Collect the static files if any has changed since the last time.

    Collects only into the demo's own folder. Another STATIC_ROOT, as in the Docker image, must be filled
    beforehand; raises DemoError if it isn't.
    """
    if Path(settings.STATIC_ROOT) != folder.STATIC:
        if not (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
            raise DemoError(
                f"STATIC_ROOT={settings.STATIC_ROOT} has no collected static files. "
                "Unset STATIC_ROOT, or run: manage.py collectstatic"
            )
        return
    paths = (Path(storage.path(name)) for finder in get_finders() for name, storage in finder.list(None))
    files = sorted(f"{path} {path.stat().st_mtime_ns}" for path in paths)
    fingerprint = hashlib.sha256("\n".join(files).encode()).hexdigest()
    if folder.STATIC_FINGERPRINT.exists() and folder.STATIC_FINGERPRINT.read_text() == fingerprint:
        return
    say("Collecting static files")
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    folder.STATIC_FINGERPRINT.write_text(fingerprint)


def prepare_databases(*, is_board: bool) -> None:
    """Migrate both databases; for a board only that of the users, and nothing else. Raises DemoError."""
    for alias in ["default"] if is_board else DATABASES:
        database = describe(connections[alias])
        try:
            if not is_board:
                carry_over(alias, database)
            migrate(alias, database)
        except (Error, InconsistentMigrationHistory) as error:
            raise DemoError(
                f"The {database} can't be migrated: {first_line(error)}\n"
                "If an earlier version or an interrupted run left it behind, start afresh: make demo RESET=1"
            ) from error


def carry_over(alias: str, database: str) -> None:
    """Carry over a database of an earlier version, in which the shop had another app label."""
    if has_old_label(connections[alias]):
        say(f"Updating the {database} from an earlier version of the demo")
        rename_old_label(connections[alias])


def migrate(alias: str, database: str) -> None:
    """Apply the missing migrations. Raises DemoError for a database of an unknown version of this project."""
    executor = MigrationExecutor(connections[alias])
    loader = executor.loader
    known = set(loader.disk_migrations)
    for squashed in loader.replacements.values():
        known.update(squashed.replaces)
    # A shared database also has the migrations of other projects, whose apps aren't installed here.
    unknown = [key for key in loader.applied_migrations if key not in known and key[0] in apps.app_configs]
    if unknown:
        app, name = unknown[-1]
        raise DemoError(
            f"The {database} has a migration that this version of the project doesn't have: {app}.{name}\n"
            "Use the version that made it, or start afresh: make demo RESET=1"
        )
    if executor.migration_plan(loader.graph.leaf_nodes()):
        say(f"Migrating the {database}")
        # RisingWave rolls nothing back: an interrupted migration could be neither repeated nor undone.
        with hold_signals():
            call_command("migrate", database=alias, interactive=False, verbosity=0)


def create_user() -> str | None:
    """Create the user `demo`, who may add rankings and view orders in the admin, and return the password.

    Returns None if the user has a password that the demo doesn't know.
    """
    password = folder.read_secret(folder.PASSWORD)
    user = User.objects.filter(username=USERNAME).first()
    if user is None:
        if not password:
            password = secrets.token_urlsafe(9)
            folder.write_secret(folder.PASSWORD, password)
        user = User.objects.create_user(USERNAME, password=password, is_staff=True)
    elif not (password and user.check_password(password)):
        password = None
    # Each time: a user of an earlier version has fewer.
    user.user_permissions.add(*Permission.objects.filter(PERMISSIONS))
    return password

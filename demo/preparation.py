"""What the static files and the databases need before the dashboard can start.

It imports models, which Django allows after django.setup() only.
Each step looks first whether there is anything to do, and says so only if there is.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command
from django.db import Error, NotSupportedError, connections, transaction
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor

from demo import folder
from demo.options import DemoError
from demo.processes import signals_held
from demo.shop.management.servers import address, reason
from demo.shop.models import Order

if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[[str], None]

#: The aliases of the databases, and the variables that say where they are.
DATABASES = {"default": "DATABASE_URL", "risingwave": "RISINGWAVE_URL"}
#: Order lines that an empty table gets.
FIRST_ORDERS = 100_000
USERNAME = "demo"


def connect() -> None:
    """Connect to both databases. Raises DemoError where there is none, or a server that is too old."""
    for alias, variable in DATABASES.items():
        connection = connections[alias]
        try:
            connection.ensure_connection()
        except NotSupportedError as error:
            raise DemoError(f"The {address(connection)} is of no use here: {reason(error)}") from error
        except Error as error:
            raise DemoError(
                f"Can't reach the {address(connection)}: {reason(error)}\n"
                f"Check that the server runs, and the host, port, name, user and password in {variable}."
            ) from error


def collect_static(say: Say) -> None:
    """Collect the static files, unless none has changed since the last time.

    Only into the demo's own folder: with another STATIC_ROOT, as in the image, that is done beforehand.
    Raises DemoError if it wasn't.
    """
    if Path(settings.STATIC_ROOT) != folder.STATIC:
        if not (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
            raise DemoError(f"There are no static files in STATIC_ROOT={settings.STATIC_ROOT}: leave it out.")
        return
    paths = (Path(storage.path(name)) for finder in get_finders() for name, storage in finder.list(None))
    files = sorted(f"{path} {path.stat().st_mtime_ns}" for path in paths)
    fingerprint = hashlib.sha256("\n".join(files).encode()).hexdigest()
    if folder.STATIC_FINGERPRINT.exists() and folder.STATIC_FINGERPRINT.read_text() == fingerprint:
        return
    say("Collecting the static files")
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    folder.STATIC_FINGERPRINT.write_text(fingerprint)


def prepare_databases(say: Say) -> None:
    """Migrate both databases, and give an empty table of orders its first ones. Raises DemoError."""
    for alias in DATABASES:
        where = address(connections[alias])
        try:
            migrate(alias, where, say)
        except (Error, InconsistentMigrationHistory) as error:
            raise DemoError(f"The {where} can't be migrated: {reason(error)}") from error
    try:
        if not Order.objects.exists():
            say(f"Loading {FIRST_ORDERS:,} order lines")
            call_command("generate_orders", count=FIRST_ORDERS)
    except (Error, CommandError) as error:
        raise DemoError(f"No orders can be loaded: {reason(error)}") from error


def migrate(alias: str, where: str, say: Say) -> None:
    """Apply the migrations that are missing. Raises DemoError for a database that another version made."""
    executor = MigrationExecutor(connections[alias])
    loader = executor.loader
    known = set(loader.disk_migrations)
    for squashed in loader.replacements.values():
        known.update(squashed.replaces)
    # A database may be shared with other projects, whose applications aren't installed here.
    unknown = [key for key in loader.applied_migrations if key not in known and key[0] in apps.app_configs]
    if unknown:
        app, name = unknown[-1]
        raise DemoError(
            f"The {where} was made by another version of this project: it has the migration {app}.{name}, "
            "which is unknown here.\nUse that version, or begin anew: make demo RESET=1"
        )
    if executor.migration_plan(loader.graph.leaf_nodes()):
        say(f"Migrating the {where}")
        # On RisingWave nothing rolls back: what Ctrl-C interrupted could be neither repeated nor undone.
        with signals_held():
            call_command("migrate", database=alias, interactive=False, verbosity=0)


def make_login() -> str | None:
    """Make the user `demo`, who may look at orders in the admin, and return the password.

    None if there is a user of that name already whose password isn't the demo's.
    """
    password = folder.read_secret(folder.PASSWORD)
    user = User.objects.filter(username=USERNAME).first()
    if user:
        return password if password and user.check_password(password) else None
    if not password:
        password = secrets.token_urlsafe(9)
        folder.write_secret(folder.PASSWORD, password)
    with transaction.atomic():
        user = User.objects.create_user(USERNAME, password=password, is_staff=True)
        permission = Permission.objects.get(content_type__app_label="demo_shop", codename="view_order")
        user.user_permissions.add(permission)
    return password

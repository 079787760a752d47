"""The servers of tests: a stand-in in the place of those in DATABASES, and a double of RisingWave."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from django_risingwave import embedded
from django_risingwave.connections import get_connection
from django_risingwave.models import Mirror
from django_risingwave.routers import VENDOR
from django_risingwave.streaming.mirrors import mirror_definition
from django_risingwave.testing.double import Double

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper

    from django_risingwave.base import DatabaseWrapper

#: Keys of OPTIONS that say which server to connect to, and how: the stand-in has others.
#: https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_SERVER_OPTIONS = re.compile(
    "host|hostaddr|port|user|password|passfile|service|servicefile|ssl.*|channel_binding|gss.*"
)


def risingwave_aliases() -> list[str]:
    """Return the aliases of DATABASES that are on RisingWave."""
    return [alias for alias in connections if connections[alias].vendor == VENDOR]


def standin_aliases() -> list[str]:
    """Return the aliases of RisingWave, and those whose tables its mirrors follow."""
    mirrors = [model for model in apps.get_models() if issubclass(model, Mirror)]
    return sorted({*risingwave_aliases(), *(mirror_definition(model).using for model in mirrors)})


@contextmanager
def standin(aliases: Iterable[str] | None = None) -> Iterator[None]:
    """Put an embedded PostgreSQL in the place of the servers of these aliases, by default standin_aliases().

    Changes DATABASES, so use it before the first query. The server has a temporary folder, and its databases
    have the names of the aliases. Raises ImproperlyConfigured for the alias of another kind of database, and
    EmbeddedServerError if the server can't start.
    """
    chosen = standin_aliases() if aliases is None else list(aliases)
    for alias in chosen:
        if connections[alias].vendor not in {VENDOR, "postgresql"}:
            raise ImproperlyConfigured(
                f"The stand-in can't take the place of DATABASES[{alias!r}], whose ENGINE is "
                f"{connections[alias].settings_dict['ENGINE']!r}. Choose those of RisingWave and PostgreSQL."
            )
    folder = Path(tempfile.mkdtemp(prefix="standin-"))
    try:
        server = embedded.start(folder / "postgres", chosen)
        try:
            host = embedded.socket_folder(folder / "postgres")
            with _changed({alias: _address(alias, host) for alias in chosen}):
                yield
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def implicit_flush() -> Iterator[None]:
    """Let the sessions on RisingWave see their own writes at once: OPTIONS["implicit_flush"].

    Use it before the first query.
    """
    with _changed(
        {
            alias: {"OPTIONS": {"implicit_flush": True} | connections[alias].settings_dict["OPTIONS"]}
            for alias in risingwave_aliases()
        }
    ):
        yield


@contextmanager
def doubled(using: str | None = None) -> Iterator[Double]:
    """Put a double of RisingWave between an alias and its stand-in.

    Within the block, the alias is on RisingWave 2.8.0, as far as its answers are recorded. By default, it is
    the first alias in DATABASES that is on RisingWave.
    """
    connection = get_connection(using)
    settings = connection.settings_dict
    user, folder = (
        settings["USER"] or _current_user(connection),
        settings["HOST"] or settings["OPTIONS"]["host"],
    )
    with closing(Double(folder, user, settings["NAME"])) as double:
        address = {"host": "127.0.0.1", "sslmode": "disable", "gssencmode": "disable"}
        options = settings["OPTIONS"] | address
        changes = {"HOST": "127.0.0.1", "PORT": double.port, "USER": user, "OPTIONS": options}
        with _changed({connection.alias: changes}):
            yield double


def _current_user(connection: DatabaseWrapper) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        return str(cursor.fetchone()[0])


def _address(alias: str, host: str) -> dict[str, Any]:
    """Return the settings of an alias on the stand-in."""
    options = connections[alias].settings_dict["OPTIONS"]
    return {
        "HOST": host,
        "PORT": "",
        "USER": embedded.USER,
        "PASSWORD": "",
        "NAME": alias,
        "OPTIONS": {name: value for name, value in options.items() if not _SERVER_OPTIONS.fullmatch(name)},
    }


@contextmanager
def _changed(changes: dict[str, dict[str, Any]]) -> Iterator[None]:
    """Change the settings of connections, and disconnect before and after.

    Other threads connect with the changed settings too: Django makes all connections of an alias of one
    dictionary.
    """
    originals = {alias: dict(connections[alias].settings_dict) for alias in changes}
    for alias, values in changes.items():
        _change(connections[alias], values)
    try:
        yield
    finally:
        for alias, values in originals.items():
            _change(connections[alias], values)


def _change(connection: BaseDatabaseWrapper, values: dict[str, Any]) -> None:
    connection.close()
    connection.settings_dict.update(values)
    if connection.vendor == VENDOR:
        # Otherwise the next question for the server's version would be answered for the last one.
        get_connection(connection.alias)._server_version = None

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql.client import DatabaseClient as PostgreSQLDatabaseClient

# libpq's parameters that OPTIONS may have, Django's client leaves out and psql takes from its environment:
# https://www.postgresql.org/docs/18/libpq-envars.html
_VARIABLES = {
    "channel_binding": "PGCHANNELBINDING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "options": "PGOPTIONS",
    "password": "PGPASSWORD",
    "port": "PGPORT",
    "sslcrl": "PGSSLCRL",
    "user": "PGUSER",
}


class DatabaseClient(PostgreSQLDatabaseClient):
    """psql, for `manage.py dbshell`, which RisingWave's protocol is made for."""

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Any
    ) -> tuple[list[str], dict[str, str] | None]:
        """Return psql's arguments and environment, with what else of OPTIONS says where the server is.

        A URL such as postgres://root@/dev?host=/run/risingwave has its host there.
        """
        args, env = super().settings_to_cmd_args_env(settings_dict, parameters)
        options = settings_dict["OPTIONS"]
        extra = {variable: str(options[name]) for name, variable in _VARIABLES.items() if options.get(name)}
        return args, (extra | (env or {})) or None

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql.client import DatabaseClient as PostgreSQLDatabaseClient

# Connection parameters in OPTIONS that Django's client doesn't pass to psql, by their environment variables:
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
    """Runs psql for `manage.py dbshell`."""

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Any
    ) -> tuple[list[str], dict[str, str] | None]:
        """Return psql's arguments and environment, with the connection parameters from OPTIONS.

        A URL such as postgres://root@/dev?host=/run/risingwave puts its host into OPTIONS.
        """
        args, env = super().settings_to_cmd_args_env(settings_dict, parameters)
        options = settings_dict["OPTIONS"]
        extra = {variable: str(options[name]) for name, variable in _VARIABLES.items() if options.get(name)}
        return args, (extra | (env or {})) or None

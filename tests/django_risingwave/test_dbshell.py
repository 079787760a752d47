"""`manage.py dbshell` opens psql."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from django_risingwave.client import DatabaseClient

if TYPE_CHECKING:
    from pathlib import Path

    from django_risingwave.base import DatabaseWrapper


def dbshell(*parameters: str) -> None:
    call_command("dbshell", "--", *parameters, database="risingwave")


@pytest.mark.skipif(shutil.which("psql") is None, reason="needs psql")
def test_psql_connects_to_the_database(
    connection: DatabaseWrapper, capfd: pytest.CaptureFixture[str]
) -> None:
    dbshell("-X", "-Atc", "SELECT current_database()")
    assert capfd.readouterr().out == f"{connection.settings_dict['NAME']}\n"
    with pytest.raises(CommandError, match="non-zero exit status"):
        dbshell("-X", "-c", "SELECT nothing FROM nowhere")


def test_a_missing_psql_is_named_in_the_error(
    connection: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="not to have the 'psql' program installed"):
        dbshell()


def arguments(**settings: Any) -> tuple[list[str], dict[str, str] | None]:
    empty = dict.fromkeys(("NAME", "HOST", "PORT", "USER", "PASSWORD"), "")
    return DatabaseClient.settings_to_cmd_args_env(empty | {"OPTIONS": {}} | settings, [])


def test_settings_become_arguments_except_the_password() -> None:
    args, env = arguments(NAME="dev", HOST="rw", PORT=4566, USER="root", PASSWORD="secret")
    assert args == ["psql", "-U", "root", "-h", "rw", "-p", "4566", "dev"]
    assert env == {"PGPASSWORD": "secret"}


def test_options_become_environment_variables() -> None:
    args, env = arguments(
        NAME="dev",
        PASSWORD="settings",
        OPTIONS={
            "host": "/run/rw",
            "port": 4566,
            "user": "root",
            "password": "options",
            "sslmode": "require",
            "options": "-c a=b",
            "connect_timeout": 5,
            "implicit_flush": True,
            "statement_timeout": 5,
        },
    )
    assert args == ["psql", "dev"]
    assert env == {
        "PGCONNECT_TIMEOUT": "5",
        "PGHOST": "/run/rw",
        "PGOPTIONS": "-c a=b",
        "PGPASSWORD": "settings",
        "PGPORT": "4566",
        "PGSSLMODE": "require",
        "PGUSER": "root",
    }


def test_without_options_the_environment_stays_as_it_is() -> None:
    assert arguments(NAME="dev") == (["psql", "dev"], None)

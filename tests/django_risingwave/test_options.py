"""The backend's own OPTIONS are validated and take effect."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError

from django_risingwave.options import ConnectionOptions
from django_risingwave.version import ServerVersion

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

STANDIN = ServerVersion(is_risingwave=False, version="18.4")
RISINGWAVE = ServerVersion(is_risingwave=True, version="3.0.3")
# The last version whose timeout is a number of seconds.
OLDER = ServerVersion(is_risingwave=True, version="2.7.4")


def read(options: dict[str, Any]) -> ConnectionOptions:
    return ConnectionOptions.read("stream", options)


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        (5, 5_000),
        (0.25, 250),
        (timedelta(minutes=1, milliseconds=1), 60_001),
        ("500ms", 500),
        ("5s", 5_000),
        (" 2 min ", 120_000),
        ("1h", 3_600_000),
        ("24d", 2_073_600_000),
    ],
)
def test_a_timeout_is_in_seconds_or_has_a_unit(value: object, milliseconds: int) -> None:
    assert read({"statement_timeout": value}).statement_timeout == milliseconds


@pytest.mark.parametrize(
    ("option", "value"),
    [("implicit_flush", value) for value in ("true", 1, None)]
    + [
        ("statement_timeout", value)
        for value in (
            *(0, -1, 0.0001, True, None, "", "5", "5 parsecs", "-5s", "0s", "25d", "٥s", "5s; DROP TABLE t"),
            *(float("nan"), float("inf"), timedelta(), 10**400, b"5s"),
        )
    ]
    + [
        ("session_settings", value)
        for value in ("a", ["a"], {1: "a"}, {"a b": "c"}, {"a'": "c"}, {"A": "c"}, {"a": None}, {"a": ["b"]})
    ],
)
def test_an_invalid_option_is_named_with_its_value(option: str, value: object) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        read({option: value})
    text = str(caught.value)
    right = {
        "implicit_flush": "True or False",
        "statement_timeout": '"500ms", "5s", "2min"',
        "session_settings": '{"query_mode": "local"}',
    }[option]
    assert text.startswith(f"DATABASES['stream']['OPTIONS']['{option}'] must be ")
    assert right in text
    assert text.endswith(f"not {value!r}.")


@pytest.mark.parametrize(
    ("options", "server", "statements"),
    [
        ({}, RISINGWAVE, []),
        ({"sslmode": "require"}, RISINGWAVE, []),
        ({"implicit_flush": False}, RISINGWAVE, []),
        ({"implicit_flush": True}, RISINGWAVE, ["SET rw_implicit_flush TO true"]),
        ({"implicit_flush": True}, STANDIN, []),
        ({"statement_timeout": 1.5}, RISINGWAVE, ["SET statement_timeout TO '1500ms'"]),
        ({"statement_timeout": 1.5}, STANDIN, ["SET statement_timeout TO '1500ms'"]),
        ({"statement_timeout": 1.5}, OLDER, ["SET statement_timeout TO 2"]),
        ({"statement_timeout": "60s"}, OLDER, ["SET statement_timeout TO 60"]),
        (
            {
                "session_settings": {
                    "query_mode": "it's",
                    "streaming_parallelism": 2,
                    "background_ddl": False,
                }
            },
            RISINGWAVE,
            [
                "SET query_mode TO 'it''s'",
                "SET streaming_parallelism TO '2'",
                "SET background_ddl TO 'false'",
            ],
        ),
    ],
)
def test_each_server_gets_the_statements_that_it_supports(
    options: dict[str, Any], server: ServerVersion, statements: list[str]
) -> None:
    assert list(read(options).statements(server)) == statements


def test_a_query_that_exceeds_the_timeout_is_cancelled(
    standin: DatabaseWrapper, options: dict[str, Any]
) -> None:
    options["statement_timeout"] = "500ms"  # enough for the other statements on a busy machine
    with standin.cursor() as cursor:
        with pytest.raises(OperationalError, match="statement timeout"):
            cursor.execute("SELECT pg_sleep(60)")
        cursor.execute("SELECT 1")


def test_the_stand_in_takes_the_session_settings_that_it_has_and_skips_the_others(
    standin: DatabaseWrapper, options: dict[str, Any]
) -> None:
    options["session_settings"] = {"streaming_parallelism": 2, "application_name": "it's", "jit": False}
    with standin.cursor() as cursor:
        cursor.execute("SELECT current_setting('application_name'), current_setting('jit')")
        assert cursor.fetchone() == ("it's", "off")


@pytest.mark.risingwave
def test_a_session_setting_takes_effect_on_risingwave(risingwave: DatabaseWrapper, monkeypatch: Any) -> None:
    risingwave.close()
    settings = {"query_mode": "distributed", "streaming_parallelism": 1, "background_ddl": True}
    monkeypatch.setitem(risingwave.settings_dict["OPTIONS"], "session_settings", settings)
    with risingwave.cursor() as cursor:
        cursor.execute("SHOW query_mode")
        assert cursor.fetchone() == ("distributed",)


def test_a_session_can_limit_its_queries(standin: DatabaseWrapper) -> None:
    standin.limit_queries(0.5)
    with standin.cursor() as cursor, pytest.raises(OperationalError, match="statement timeout"):
        cursor.execute("SELECT pg_sleep(60)")


def test_the_start_up_options_of_a_project_are_kept(
    standin: DatabaseWrapper, options: dict[str, Any]
) -> None:
    options.update(options="-c search_path=elsewhere", statement_timeout=5, application_name="shop")
    with standin.cursor() as cursor:
        for setting, value in (
            ("search_path", "elsewhere"),
            ("statement_timeout", "5s"),
            ("application_name", "shop"),
        ):
            cursor.execute(f"SHOW {setting}")
            assert cursor.fetchone() == (value,)


def test_the_backends_own_options_are_not_passed_to_the_driver(
    standin: DatabaseWrapper, options: dict[str, Any]
) -> None:
    own = {"implicit_flush": True, "statement_timeout": 5, "session_settings": {}}
    options.update(own)
    assert not own.keys() & standin.get_connection_params().keys()

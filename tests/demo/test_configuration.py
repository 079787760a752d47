from __future__ import annotations

import pytest

from demo.configuration import Configuration
from demo.errors import DemoError


def test_without_variables_the_demo_listens_on_loopback_and_starts_its_own_postgresql():
    configuration = Configuration.from_environment({})
    assert configuration == Configuration(
        host="127.0.0.1",
        port=8000,
        generate_rate=20,
        reset=False,
        needs_postgres=True,
        needs_standin=True,
    )
    assert configuration.is_loopback


def test_an_empty_variable_counts_as_not_set():
    names = ("HOST", "PORT", "GENERATE_RATE", "RESET", "DATABASE_URL", "RISINGWAVE_URL")
    assert Configuration.from_environment(dict.fromkeys(names, "")) == Configuration.from_environment({})


@pytest.mark.parametrize(
    ("given", "needs_postgres"),
    [
        ((), True),
        (("DATABASE_URL",), True),
        (("RISINGWAVE_URL",), True),
        (("DATABASE_URL", "RISINGWAVE_URL"), False),
    ],
)
def test_the_embedded_postgresql_is_needed_unless_both_urls_are_set(given, needs_postgres):
    configuration = Configuration.from_environment(
        dict.fromkeys(given, "postgresql://root@host:4566/dev?sslmode=require")
    )
    assert configuration.needs_postgres is needs_postgres


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_a_loopback_address_is_recognized(host):
    assert Configuration.from_environment({"HOST": host}).is_loopback


@pytest.mark.parametrize(
    ("host", "wildcard"), [("0.0.0.0", True), ("::", True), ("192.0.2.1", False), ("box", False)]
)
def test_any_other_address_is_not_loopback(host, wildcard):
    configuration = Configuration.from_environment({"HOST": host})
    assert not configuration.is_loopback
    assert configuration.is_wildcard is wildcard


@pytest.mark.parametrize("text", ["1", "true", "Yes", "ON"])
def test_reset_accepts_the_usual_words_for_yes(text):
    assert Configuration.from_environment({"RESET": text}).reset


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PORT", "abc", "PORT must be a number from 1 to 65535, not 'abc'."),
        ("PORT", "0", "PORT must be a number from 1 to 65535"),
        ("PORT", "65536", "PORT must be a number from 1 to 65535"),
        ("PORT", "٨٠٠٠", "PORT must be a number from 1 to 65535"),
        (
            "GENERATE_RATE",
            "-1",
            "GENERATE_RATE must be a number of order lines per second, such as 20, or 0 for none, not '-1'.",
        ),
        ("GENERATE_RATE", "nan", "GENERATE_RATE must be a number of order lines per second"),
        ("RESET", "maybe", "RESET must be one of 1, true, yes, on, 0, false, no, off, not 'maybe'."),
    ],
)
def test_an_invalid_value_is_refused_with_what_is_allowed(name, value, message):
    with pytest.raises(DemoError) as caught:
        Configuration.from_environment({name: value})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "url",
    [
        "top-secret",
        "mysql://root:top-secret@host/dev",
        "postgres://root:top-secret@host",
        "postgres://root@host:top-secret/dev",
    ],
)
@pytest.mark.parametrize("name", ["DATABASE_URL", "RISINGWAVE_URL"])
def test_an_invalid_url_is_refused_without_repeating_it(name, url):
    with pytest.raises(DemoError) as caught:
        Configuration.from_environment({name: url})
    assert str(caught.value) == f"{name} must look like postgres://user:password@host:port/database."


def test_reset_is_refused_for_servers_that_are_given():
    with pytest.raises(DemoError, match="RESET=1 can't be combined with RISINGWAVE_URL"):
        Configuration.from_environment({"RESET": "1", "RISINGWAVE_URL": "postgres://root@host:4566/dev"})

from __future__ import annotations

import pytest

from demo.options import DemoError, Options


def test_without_variables_it_is_open_on_loopback_with_servers_of_its_own():
    options = Options.read({})
    assert options == Options(host="127.0.0.1", port=8000, generate_rate=20, reset=False, needs_standin=True)
    assert options.is_loopback


def test_empty_variables_count_as_not_given():
    names = ("HOST", "PORT", "GENERATE_RATE", "RESET", "DATABASE_URL", "RISINGWAVE_URL")
    assert Options.read(dict.fromkeys(names, "")) == Options.read({})


@pytest.mark.parametrize(
    ("given", "needs_standin"),
    [
        ((), True),
        (("DATABASE_URL",), True),
        (("RISINGWAVE_URL",), True),
        (("DATABASE_URL", "RISINGWAVE_URL"), False),
    ],
)
def test_the_stand_in_is_needed_unless_both_servers_are_given(given, needs_standin):
    options = Options.read(dict.fromkeys(given, "postgresql://root@host:4566/dev?sslmode=require"))
    assert options.needs_standin is needs_standin


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_addresses_are_known_as_such(host):
    assert Options.read({"HOST": host}).is_loopback


@pytest.mark.parametrize(
    ("host", "wildcard"), [("0.0.0.0", True), ("::", True), ("192.0.2.1", False), ("box", False)]
)
def test_other_addresses_are_not_loopback(host, wildcard):
    options = Options.read({"HOST": host})
    assert not options.is_loopback
    assert options.is_wildcard is wildcard


@pytest.mark.parametrize("text", ["1", "true", "Yes", "ON"])
def test_reset_can_be_said_in_several_ways(text):
    assert Options.read({"RESET": text}).reset


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
            "GENERATE_RATE must be order lines a second, such as 20, or 0 for none, not '-1'.",
        ),
        ("GENERATE_RATE", "nan", "GENERATE_RATE must be order lines a second"),
        ("RESET", "maybe", "RESET must be one of 1, true, yes, on, 0, false, no, off, not 'maybe'."),
    ],
)
def test_a_bad_value_is_refused_with_what_would_be_right(name, value, message):
    with pytest.raises(DemoError) as caught:
        Options.read({name: value})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "url",
    [
        "geheim",
        "mysql://root:geheim@host/dev",
        "postgres://root:geheim@host",
        "postgres://root@host:geheim/dev",
    ],
)
@pytest.mark.parametrize("name", ["DATABASE_URL", "RISINGWAVE_URL"])
def test_a_bad_url_is_refused_without_telling_it(name, url):
    with pytest.raises(DemoError) as caught:
        Options.read({name: url})
    assert str(caught.value) == f"{name} must look like postgres://user:password@host:port/database."


def test_reset_never_touches_a_given_server():
    with pytest.raises(DemoError, match="RISINGWAVE_URL may be anybody's"):
        Options.read({"RESET": "1", "RISINGWAVE_URL": "postgres://root@host:4566/dev"})

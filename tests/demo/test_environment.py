from __future__ import annotations

import io
import os
import stat

import environ
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo import environment, folder
from demo.configuration import Configuration
from demo.errors import DemoError


@pytest.fixture
def variables(monkeypatch, tmp_path) -> None:
    """No variables of the site are set, and the demo's folder is empty."""
    monkeypatch.setattr(folder, "SECRET_KEY", tmp_path / "secret_key")
    monkeypatch.setattr(folder, "ENVIRONMENT", tmp_path / "environment")
    monkeypatch.setattr(os, "environ", {})


def read(text: str) -> dict[str, str]:
    """Read an environment file as config.settings does."""

    class Reader(environ.Env):  # type: ignore[misc]  # without types
        ENVIRON: dict[str, str] = {}  # noqa: RUF012 - Env's own

    Reader.read_env(io.StringIO(text))
    return Reader.ENVIRON


@given(st.text(min_size=1).filter(lambda text: text.splitlines() == [text]))
def test_the_settings_read_each_value_as_it_was_written(text):
    assert read(f"NAME={environment.quote('NAME', text)}\n") == {"NAME": text}


@pytest.mark.parametrize("text", ["two\nlines", "one line\n"])
def test_a_value_of_several_lines_is_refused_by_name(text):
    with pytest.raises(DemoError, match="SECRET_KEY must be a single line"):
        environment.quote("SECRET_KEY", text)


@pytest.mark.usefixtures("variables")
def test_the_file_has_what_manage_py_needs_and_only_its_owner_can_read_it():
    environment.set_environment(Configuration.from_environment({}))
    environment.write_environment_file()
    names = {"SECRET_KEY", "DATABASE_URL", "RISINGWAVE_URL", "EXTRA_APPS"}
    assert read(folder.ENVIRONMENT.read_text()) == {name: os.environ[name] for name in names}
    assert stat.S_IMODE(folder.ENVIRONMENT.stat().st_mode) == 0o600
    assert list(folder.ENVIRONMENT.parent.glob("environment*")) == [folder.ENVIRONMENT]


@pytest.mark.usefixtures("variables")
def test_what_the_user_has_set_is_kept():
    given = {"DATABASE_URL": "postgres://user@host/dashboard", "SECRET_KEY": "given", "LIVE_OPEN": "false"}
    os.environ.update(given)
    environment.set_environment(Configuration.from_environment(os.environ))
    assert {name: os.environ[name] for name in given} == given


@pytest.mark.usefixtures("variables")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "demo.shop"),
        ("shop", "shop,demo.shop"),
        ("demo.shop", "demo.shop"),
        ("demo.shop,shop", "shop,demo.shop"),
    ],
)
def test_the_shop_is_added_to_the_extra_apps_of_the_user(given, expected):
    os.environ["EXTRA_APPS"] = given
    environment.set_environment(Configuration.from_environment({}))
    assert os.environ["EXTRA_APPS"] == expected


@pytest.mark.usefixtures("variables")
@pytest.mark.parametrize(("host", "is_open"), [("127.0.0.1", "true"), ("0.0.0.0", "false")])
def test_only_on_loopback_no_login_is_needed(host, is_open):
    environment.set_environment(Configuration.from_environment({"HOST": host}))
    assert os.environ["LIVE_OPEN"] == is_open


@pytest.mark.usefixtures("variables")
@pytest.mark.parametrize(
    ("host", "hosts"),
    [
        ("127.0.0.1", "localhost,127.0.0.1,[::1]"),
        ("0.0.0.0", "localhost,127.0.0.1,[::1]"),
        ("192.0.2.1", "localhost,127.0.0.1,[::1],192.0.2.1"),
        ("2001:db8::1", "localhost,127.0.0.1,[::1],[2001:db8::1]"),
    ],
)
def test_the_host_is_added_to_the_allowed_hosts(host, hosts):
    environment.set_environment(Configuration.from_environment({"HOST": host}))
    assert os.environ["ALLOWED_HOSTS"] == hosts

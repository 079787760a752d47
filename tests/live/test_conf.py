"""The settings of live, and what `manage.py check` says about them."""

from __future__ import annotations

import re

import pytest
from django.test import override_settings

from live import checks
from live.conf import ORDERINGS, SETTINGS, live_settings
from tests.processes import ROOT

SECTION = (ROOT / "docs" / "settings.md").read_text().partition("## Settings of `live`")[2]


def test_a_setting_is_its_default_until_the_project_sets_it():
    assert live_settings.POLL_SECONDS == 2
    with override_settings(LIVE_POLL_SECONDS=7):
        assert live_settings.POLL_SECONDS == 7
    assert live_settings.POLL_SECONDS == 2


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_each_default_is_allowed(setting):
    assert setting.is_valid(setting.default)


def test_the_defaults_are_in_order():
    for less, more, _ in ORDERINGS:
        assert less.default < more.default


def test_the_checks_accept_the_settings_of_the_site():
    assert checks.check_settings() == []


@pytest.mark.parametrize(
    ("name", "value", "message", "hint"),
    [
        (
            "LIVE_POLL_SECONDS",
            "2s",
            "LIVE_POLL_SECONDS must be a positive number, not '2s'.",
            "Set it to seconds, such as 2.",
        ),
        ("LIVE_PING_SECONDS", 0, "must be a positive number, not 0.", "such as 5."),
        ("LIVE_PING_SECONDS", True, "must be a positive number, not True.", "such as 5."),
        ("LIVE_STALE_SECONDS", float("nan"), "must be a positive number, not nan.", "such as 15."),
        ("LIVE_OPEN", "false", "LIVE_OPEN must be True or False, not 'false'.", "such as False."),
        ("LIVE_MAX_SUBSCRIBERS", 1.5, "must be a whole number, 0 or more, not 1.5.", "such as 10000."),
        ("LIVE_MAX_SUBSCRIBERS", -1, "must be a whole number, 0 or more, not -1.", "a number of subscribers"),
        ("LIVE_FRAME_ANCESTORS", "'self'", "must be a list of sources", "such as [\"'self'\"]."),
        ("LIVE_FRAME_ANCESTORS", ["'self'; script-src *"], "must be a list of sources", "a list of sources"),
    ],
)
def test_a_value_that_is_not_allowed_is_an_error_with_its_name_and_what_is_allowed(
    name, value, message, hint
):
    with override_settings(**{name: value}):
        [error] = checks.check_settings()
    assert error.id == "live.E003"
    assert name in error.msg
    assert message in error.msg
    assert hint in str(error.hint)


@pytest.mark.parametrize(("less", "more", "reason"), ORDERINGS)
def test_settings_in_the_wrong_order_are_an_error_with_the_reason(less, more, reason):
    with override_settings(**{less.name: more.default}):
        errors = checks.check_settings()
    assert {error.id for error in errors} == {"live.E004"}
    messages = [error.msg for error in errors]
    value = more.default
    assert f"{less.name} ({value}) must be less than {more.name} ({value}): {reason}." in messages


def test_no_subscribers_at_all_may_be_allowed():
    with override_settings(LIVE_MAX_SUBSCRIBERS=0):
        assert checks.check_settings() == []


def test_a_mistyped_name_is_a_warning_with_the_nearest_name():
    with override_settings(LIVE_POLL_SECOND=3):
        [warning] = checks.check_settings()
    assert warning.id == "live.W002"
    assert warning.msg == "LIVE_POLL_SECOND is not a setting of live."
    assert warning.hint == "Did you mean LIVE_POLL_SECONDS?"


def test_a_setting_of_another_app_is_left_alone():
    with override_settings(LIVE_STREAM_BUCKET="eu"):
        assert checks.check_settings() == []


def test_the_document_lists_each_setting_with_its_default():
    rows = dict(re.findall(r"^\| `(LIVE_\w+)` \| `([^`]+)` \|", SECTION, re.MULTILINE))
    assert rows == {name: repr(setting.default) for name, setting in SETTINGS.items()}


def test_the_document_lists_each_check():
    code = "".join((ROOT / "live" / name).read_text() for name in ("checks.py", "database_checks.py"))
    assert set(re.findall(r"^\| `(live\.[EW]\d+)`", SECTION, re.MULTILINE)) == set(
        re.findall(r'id="(.*?)"', code)
    )

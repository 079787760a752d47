"""How many attempts to log in are allowed, and what the log says of them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from threading import BoundedSemaphore
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth.hashers import PBKDF2PasswordHasher, get_hashers
from django.test import Client
from django.utils import timezone

from config import logins
from config import settings as site_settings
from live import metrics
from live.logs.repeated_lines import RepeatedLines
from live.users import login_log

pytestmark = pytest.mark.django_db
OWNER, STRANGER = "192.0.2.1", "203.0.113.9"
PASSWORD = "a-good-password"


@pytest.fixture(autouse=True)
def ann(site_environment, django_user_model, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.LIVE_TRUSTED_PROXIES = ["127.0.0.1"]
    return django_user_model.objects.create_superuser("ann", password=PASSWORD)


@cache
def client() -> Client:
    """Return one client for all: each loads the middleware."""
    return Client()


def log_in(
    address: str, name: str = "ann", password: str = "wrong", path: str = "/login/", **headers: str
) -> Any:
    client().cookies.clear()
    data = {"username": name, "password": password}
    return client().post(path, data, REMOTE_ADDR=address, headers=headers)


def fail(address: str, name: str = "ann", count: int = logins.FAILURES_PER_USER, **headers: str) -> None:
    for number in range(count):
        log_in(address, name, user_agent=str(number), **headers)


@pytest.mark.parametrize("path", ["/login/", "/admin/login/"])
def test_who_fails_too_often_is_told_until_when_to_wait(path):
    statuses = [log_in(STRANGER, path=path).status_code for _ in range(logins.FAILURES_PER_USER + 2)]
    assert statuses == [200] * (logins.FAILURES_PER_USER - 1) + [429] * 3
    answer = log_in(STRANGER, password=PASSWORD, path=path)
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 15 * 60
    assert "Try again in 15 minutes" in answer.content.decode()


def test_a_stranger_locks_neither_the_owner_nor_others_behind_the_same_proxy_out():
    fail(STRANGER)
    fail("127.0.0.1", x_forwarded_for=f"198.51.100.7, {STRANGER}")
    assert log_in(STRANGER, password=PASSWORD).status_code == 429
    assert log_in(OWNER, password=PASSWORD).status_code == 302
    assert log_in("127.0.0.1", password=PASSWORD, x_forwarded_for=OWNER).status_code == 302


def test_an_address_that_the_client_makes_up_changes_nothing():
    for number in range(logins.FAILURES_PER_USER):
        log_in(STRANGER, x_forwarded_for=f"192.0.2.{number}")
    assert log_in(STRANGER, password=PASSWORD, x_forwarded_for=OWNER).status_code == 429


def test_all_addresses_of_one_ipv6_network_count_as_one():
    for number in range(logins.FAILURES_PER_USER):
        log_in(f"2001:db8::{number}")
    assert log_in("2001:db8::ffff", password=PASSWORD).status_code == 429
    assert log_in("2001:db8:0:1::1", password=PASSWORD).status_code == 302


def test_an_address_that_tries_many_users_is_locked_out_and_a_login_of_its_own_does_not_help(
    monkeypatch, django_user_model
):
    monkeypatch.setattr(logins, "FAILURES_PER_ADDRESS", 20)
    django_user_model.objects.create_user("bob", password=PASSWORD)
    for number in range(19):
        log_in(STRANGER, f"user{number}")
    assert log_in(STRANGER, "bob", PASSWORD).status_code == 302
    assert log_in(STRANGER, "another").status_code == 429
    assert log_in(STRANGER, password=PASSWORD).status_code == 429
    assert log_in(OWNER, password=PASSWORD).status_code == 302


def test_users_behind_a_local_proxy_that_is_not_trusted_are_not_locked_out_together(monkeypatch, settings):
    settings.LIVE_TRUSTED_PROXIES = []
    monkeypatch.setattr(logins, "FAILURES_PER_ADDRESS", 10)
    for number in range(12):
        log_in("127.0.0.1", f"user{number}")
    assert log_in("127.0.0.1", password=PASSWORD).status_code == 302


def test_failures_count_for_15_minutes_and_are_deleted_then():
    fail(STRANGER)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15))
    assert log_in(STRANGER, password=PASSWORD).status_code == 302
    assert not AccessAttempt.objects.exists()
    assert not AccessLog.objects.exists()


@pytest.mark.parametrize("path", ["/login/", "/admin/login/"])
def test_a_name_of_any_length_is_wrong_and_no_server_error(path):
    names = ["a" * 255, "a" * 256, "ä" * 3000, "\N{GRINNING FACE}" * 3000]
    assert [log_in(STRANGER, name, path=path).status_code for name in names] == [200] * 4


def test_attempts_at_too_long_a_name_are_counted():
    fail(STRANGER, "a" * 3000)
    assert log_in(STRANGER, "a" * 3000).status_code == 429


def test_passwords_are_hashed_one_at_a_time(monkeypatch, settings):
    running, most = 0, 0

    def hashed(*_: object) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.01)
        running -= 1
        return "hash"

    settings.PASSWORD_HASHERS = site_settings.PASSWORD_HASHERS
    [hasher] = [type(each) for each in get_hashers() if each.algorithm == "pbkdf2_sha256"]
    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", hashed)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: hasher().encode("secret", "salt"), range(8))) == ["hash"] * 8
    assert most == 1


@pytest.mark.parametrize("path", ["/login/", "/admin/login/"])
def test_more_attempts_at_once_than_a_process_works_on_are_told_to_try_again(path, monkeypatch):
    running = BoundedSemaphore(1)
    monkeypatch.setattr(logins, "_attempts", running)
    with running:
        answer = log_in(OWNER, password=PASSWORD, path=path)
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert "try again in a few seconds" in answer.content.decode()
        assert client().get(path).status_code == 200
    assert log_in(OWNER, path=path).status_code == 200
    assert log_in(OWNER, password=PASSWORD, path=path).status_code == 302
    assert running.acquire(blocking=False)


def test_hashes_of_djangos_other_hashers_are_still_known(settings):
    settings.PASSWORD_HASHERS = site_settings.PASSWORD_HASHERS
    known = {hasher.algorithm for hasher in get_hashers()}
    assert {"pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "scrypt"} <= known


def test_attempts_while_locked_out_do_not_prolong_the_wait():
    fail(STRANGER)
    began = AccessAttempt.objects.get().attempt_time
    fail(STRANGER, count=3)
    assert AccessAttempt.objects.get().attempt_time == began


def test_failed_logins_are_logged_without_the_password_and_counted(caplog, monkeypatch):
    monkeypatch.setattr(login_log, "_lines", RepeatedLines(login_log._lines._logger, login_log._lines._level))
    counted = metrics.LOGIN_FAILURES._value.get()
    log_in(STRANGER, "ann\nroot" + "x" * 60, "se-cret")
    [line] = [record.getMessage() for record in caplog.records if record.name == "live.users.login_log"]
    assert line.startswith("login of 'ann\\nrootxxx")
    assert line.endswith(f"…: failed, from {STRANGER}")
    assert "se-cret" not in caplog.text
    assert metrics.LOGIN_FAILURES._value.get() == counted + 1


def test_a_flood_of_failed_logins_has_few_lines(caplog, monkeypatch):
    monkeypatch.setattr(login_log, "_lines", RepeatedLines(login_log._lines._logger, login_log._lines._level))
    for number in range(100):
        log_in(f"2001:db8:{number}::1")
    lines = [record for record in caplog.records if record.name == "live.users.login_log"]
    assert len(lines) == login_log.MAX_LINES_PER_MINUTE
    assert "axes" not in {record.name.partition(".")[0] for record in caplog.records}

"""Users of a site and their sessions, inserted by SQL."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore

if TYPE_CHECKING:
    from tests.faults.lab import Database

PASSWORD = "correct horse"


def add_user(users: Database, name: str) -> str:
    """Insert a user with PASSWORD, and a session of his; return the session's cookie."""
    password = make_password(PASSWORD)
    key = users.query(
        "INSERT INTO auth_user (username, password, is_active, is_staff, is_superuser, first_name, "
        "last_name, email, date_joined) VALUES (%s, %s, true, true, true, '', '', '', now()) "
        "RETURNING id",
        name,
        password,
    )
    user = User(pk=key, password=password)
    session = secrets.token_hex(16)
    data = {
        SESSION_KEY: str(key),
        BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
        HASH_SESSION_KEY: user.get_session_auth_hash(),
    }
    users.query(
        "INSERT INTO django_session VALUES (%s, %s, %s)",
        session,
        SessionStore().encode(data),
        datetime.now(UTC) + timedelta(days=1),
    )
    return f"sessionid={session}"

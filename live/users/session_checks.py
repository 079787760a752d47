"""Finds out which sessions are logged in, as Django's auth.get_user() does, but many with two queries.

That is possible for sessions in the database and users of ModelBackend. Each other session is looked up by
itself, as a request does it.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends import db
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from live.conf import MAX_CACHED_SESSIONS, SESSIONS_PER_QUERY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from django.contrib.auth.base_user import AbstractBaseUser


def is_bulk() -> bool:
    """Return whether many sessions are read by one query."""
    # cached_db and a project's own engines may know a session that the table doesn't.
    return bool(_store().load is db.SessionStore.load)


def logged_in(keys: Sequence[str]) -> set[str]:
    """Return those of the session keys whose sessions are logged in. Queries the database."""
    if not is_bulk():
        return {key for key in keys if _is_logged_in(key)}
    found = set()
    for start in range(0, len(keys), SESSIONS_PER_QUERY):
        found |= _logged_in(keys[start : start + SESSIONS_PER_QUERY])
    return found


def _logged_in(keys: Sequence[str]) -> set[str]:
    rows = (
        _store()
        .get_model_class()
        .objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
        .values_list("session_key", "session_data")
    )
    logins = {key: _decoded(data) for key, data in rows}
    users = _users(user_id for user_id, backend, _ in logins.values() if _is_model_backend(backend))
    return {key for key, login in logins.items() if _has_user(login, users)}


def _store() -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore


@lru_cache(maxsize=MAX_CACHED_SESSIONS)
def _decoded(session_data: str) -> tuple[Any, Any, Any]:
    """Return what a session knows of its login: the user's id, the backend's path, the password's hash."""
    session = _store()().decode(session_data)
    names = (auth.SESSION_KEY, auth.BACKEND_SESSION_KEY, auth.HASH_SESSION_KEY)
    user_id, backend, password = (session.get(name) for name in names)
    return user_id, backend, password


def _is_model_backend(path: Any) -> bool:
    if path not in settings.AUTHENTICATION_BACKENDS:
        return False
    return getattr(type(auth.load_backend(path)), "get_user", None) is ModelBackend.get_user


def _users(ids: Iterable[Any]) -> Mapping[Any, AbstractBaseUser]:
    keys = {key for user_id in ids if (key := _primary_key(user_id)) is not None}
    users: Mapping[Any, AbstractBaseUser] = auth.get_user_model()._default_manager.in_bulk(keys)
    return users


def _primary_key(user_id: Any) -> Any:
    try:
        return auth.get_user_model()._meta.pk.to_python(user_id)
    except ValidationError:
        return None


def _has_user(login: tuple[Any, Any, Any], users: Mapping[Any, AbstractBaseUser]) -> bool:
    user_id, path, password = login
    if user_id is None or path not in settings.AUTHENTICATION_BACKENDS:
        return False
    backend: Any = auth.load_backend(path)
    if _is_model_backend(path):
        user = users.get(_primary_key(user_id))
        if user is not None and not backend.user_can_authenticate(user):
            return False
    else:
        user = backend.get_user(_primary_key(user_id))
    return user is not None and user.is_authenticated and _has_current_password(user, password)


def _has_current_password(user: Any, session_hash: Any) -> bool:
    """Return whether the session began with the user's password and one of the site's secret keys.

    https://github.com/django/django/blob/5.2/django/contrib/auth/__init__.py (get_user)
    """
    if not hasattr(user, "get_session_auth_hash"):
        return True
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return bool(session_hash) and any(constant_time_compare(session_hash, known) for known in hashes)


def _is_logged_in(key: str) -> bool:
    request = HttpRequest()
    request.session = _store()(key)
    return auth.get_user(request).is_authenticated

"""The versions, the limits and the settings of this process. No database is asked."""

from __future__ import annotations

import platform
import resource
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core import checks

from live.capacity import needed_files
from live.conf import live_settings
from live.operators.doctor.findings import advice, ok, problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from live.operators.doctor.findings import Finding

#: Distributions whose versions matter, where they are installed.
DISTRIBUTIONS = (
    *(
        "risingwave-django",
        "Django",
        "psycopg2",
        "psycopg2-binary",
        "psycopg",
        "channels",
        "daphne",
        "uvicorn",
    ),
    *("prometheus-client",),
)
MIDDLEWARE = "live.middleware.OperatorMiddleware"
#: A static file of `live`.
STATIC_FILE = "live/live.js"


def check_versions() -> Iterator[Finding]:
    """Tell the versions."""
    found = [f"Python {platform.python_version()}"]
    for name in DISTRIBUTIONS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    yield ok("versions", ", ".join(found))


def check_descriptors() -> Iterator[Finding]:
    """Check that a process can open a file for each subscriber."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed_files()
    if hard_limit == resource.RLIM_INFINITY or hard_limit >= wanted:
        limit = "any number of" if hard_limit == resource.RLIM_INFINITY else f"{hard_limit:,}"
        yield ok("descriptors", f"a process may open {limit} files")
    else:
        yield advice(
            "descriptors",
            f"a process may open {hard_limit:,} files; {live_settings.MAX_SUBSCRIBERS:,} subscribers need"
            f" {wanted:,}",
            "Raise the hard limit (ulimit -Hn, LimitNOFILE of systemd), or lower LIVE_MAX_SUBSCRIBERS.",
        )


def check_static_files() -> Iterator[Finding]:
    """Check that the static files of `live` have been collected, where they must be."""
    if settings.DEBUG:
        yield ok("static files", "need not be collected with DEBUG")
        return
    try:
        stored_name = getattr(staticfiles_storage, "stored_name", str)
        exists = staticfiles_storage.exists(stored_name(STATIC_FILE))
    except ValueError:  # No manifest, or one without this file.
        exists = False
    if exists:
        yield ok("static files", "are collected")
    else:
        yield problem("static files", f"{STATIC_FILE} isn't collected", "Run: manage.py collectstatic")


def check_settings() -> Iterator[Finding]:
    """Check hosts, origins and HTTPS, and run the checks of `manage.py check --deploy`."""
    hosts = settings.ALLOWED_HOSTS
    if "*" in hosts:
        yield advice("hosts", "ALLOWED_HOSTS allows any host", "List the host names of the site.")
    elif not hosts and not settings.DEBUG:
        yield problem("hosts", "ALLOWED_HOSTS is empty: no page answers", "List the host names of the site.")
    else:
        yield ok("hosts", f"{', '.join(hosts) or 'localhost'} are answered")
    origins = settings.CSRF_TRUSTED_ORIGINS
    yield ok("origins", f"the site's own{', ' + ', '.join(origins) if origins else ''} may open WebSockets")
    if settings.SECURE_PROXY_SSL_HEADER and not live_settings.TRUSTED_PROXIES:
        yield advice(
            "proxies",
            "a proxy terminates TLS, but LIVE_TRUSTED_PROXIES is empty: all clients have the proxy's address",
            "Set LIVE_TRUSTED_PROXIES to the proxy's network.",
        )
    elif settings.SECURE_SSL_REDIRECT and not settings.SECURE_PROXY_SSL_HEADER:
        yield advice(
            "proxies",
            "SECURE_SSL_REDIRECT is set without SECURE_PROXY_SSL_HEADER: behind a proxy, redirects never end",
            "Set SECURE_PROXY_SSL_HEADER to the header that the proxy sets or removes.",
        )
    if MIDDLEWARE not in settings.MIDDLEWARE[:1]:
        yield advice(
            "middleware",
            f"{MIDDLEWARE} isn't the first: lines of the log may lack the request's id",
            "Put it first in MIDDLEWARE.",
        )
    yield from _django_checks()


def _django_checks() -> Iterator[Finding]:
    messages = [
        message
        for message in checks.run_checks(include_deployment_checks=True)
        if not message.is_silenced() and message.level > checks.INFO
    ]
    for message in messages:
        find = problem if message.level >= checks.ERROR else advice
        remedy = message.hint or "See https://docs.djangoproject.com/en/5.2/ref/checks/"
        yield find(f"check {message.id}", message.msg, str(remedy))
    if not messages:
        yield ok("checks", "manage.py check --deploy finds nothing")

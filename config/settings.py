"""Settings of the site. Everything that differs between machines comes from environment variables.

docs/settings.md lists the variables, their defaults and what they do.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# Sets the variables that aren't set yet. `make demo` writes this file, so that manage.py works beside it.
ENVIRONMENT_FILE = Path(env.str("ENVIRONMENT_FILE", default=str(BASE_DIR / ".demo" / "environment")))
env.read_env(ENVIRONMENT_FILE)

REQUIRED = ("SECRET_KEY", "DATABASE_URL", "RISINGWAVE_URL")
if _missing := [name for name in REQUIRED if not os.environ.get(name)]:
    raise ImproperlyConfigured(
        f"{', '.join(_missing)} must be set, in the environment or in {ENVIRONMENT_FILE}. "
        "docs/settings.md describes the variables; `make demo` writes them to .demo/environment."
    )

DEBUG = env.bool("DEBUG", default=False)
# Not env.str(): it takes a value that begins with "$" for the name of another variable.
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# For a proxy that terminates TLS: HTTPS=1 keeps cookies off plain HTTP and trusts X-Forwarded-Proto.
HTTPS = env.bool("HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz/$"]  # load balancers request it directly, over plain HTTP
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
# What HSTS says of other hosts of the domain isn't for this site to decide. Its own host has HSTS.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None

INSTALLED_APPS = [
    "daphne",
    "config.apps.SiteAdminConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_risingwave",
    "django_risingwave.checkpoints",
    # Apps with rankings. Before live, so that their templates override those of live.
    *env.list("EXTRA_APPS", default=[]),
    "live",
]

MIDDLEWARE = [
    # The first, so that it answers before hosts are checked and plain HTTP is redirected.
    "live.middleware.OperatorMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "live.users.session_cookies.SessionCookieMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    # After sessions and before CommonMiddleware: https://docs.djangoproject.com/en/5.2/topics/i18n/translation/
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # The last, as django-axes asks: answers attempts to log in that aren't allowed.
    "axes.middleware.AxesMiddleware",
    # After all that has something to do.
    "live.middleware.OneThreadMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def _read_database(name: str, **options: str) -> dict[str, Any]:
    try:
        database = dict(env.db_url(name, **options))
        # A "#" in a password would begin a fragment. A port that isn't a number raises ValueError.
        url = urlsplit(os.environ[name])
        is_url = not url.fragment and url.port != 0
    except (ValueError, ImproperlyConfigured):
        is_url = False
    if not is_url:
        # Without the error itself, which may contain a part of the password.
        raise ImproperlyConfigured(
            f"{name} isn't a URL of a database. Write postgres://user:password@host:port/name, and "
            'percent-encode special characters of the user and the password: "@" is "%40", "#" is "%23".'
        )
    return database


# Two databases: users and sessions need transactions and unique constraints, which RisingWave doesn't have.
DATABASES = {
    # PostgreSQL; requests are answered in time even while it hangs.
    "default": _read_database("DATABASE_URL", engine="live.postgresql"),
    "risingwave": _read_database("RISINGWAVE_URL", engine="django_risingwave"),
}
# Requests wait for the database of users.
DATABASES["default"]["OPTIONS"] = {"connect_timeout": 3} | DATABASES["default"].get("OPTIONS", {})
for _database in DATABASES.values():
    # Notice an unreachable server within seconds; TCP alone takes minutes.
    # https://www.postgresql.org/docs/18/libpq-connect.html
    _database["OPTIONS"] = {"connect_timeout": 5, "tcp_user_timeout": 10_000} | _database.get("OPTIONS", {})
# A command can read what it has written: without FLUSH, RisingWave shows a write only at its next checkpoint.
DATABASES["risingwave"]["OPTIONS"].setdefault("implicit_flush", True)
DATABASE_ROUTERS = ["django_risingwave.routers.RisingWaveRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Django's, the first of which takes turns.
PASSWORD_HASHERS = ["config.hashers.PBKDF2PasswordHasher", *global_settings.PASSWORD_HASHERS[1:]]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = [
    # The first: refuses attempts to log in that aren't allowed before a password is hashed.
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# Who fails too often waits for this time. config/logins.py has the limits.
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_FAILURE_LIMIT = 5
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address"]
AXES_HANDLER = "config.logins.LoginHandler"
AXES_CLIENT_IP_CALLABLE = "config.logins.address_of"
AXES_USERNAME_CALLABLE = "config.logins.name_of"
AXES_LOCKOUT_CALLABLE = "config.logins.locked_out"
AXES_RESET_ON_SUCCESS = True
# Attempts while locked out are refused, and make the wait no longer: a stranger could prolong it for ever.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
# No table that grows for ever. Failed attempts are deleted when they no longer count, and live logs them.
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
# config.login_attempts shows the attempts; the two logs of django-axes stay empty.
AXES_ENABLE_ADMIN = False
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "live:dashboard"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-src": [SELF],
        "frame-ancestors": [NONE],
    },
}

# True shows the rankings without a login.
LIVE_OPEN = env.bool("LIVE_OPEN", default=False)
# False keeps no record of what the rankings were: no movement, no charts.
LIVE_HISTORY = env.bool("LIVE_HISTORY", default=True)
LIVE_HISTORY_DAYS = env.int("LIVE_HISTORY_DAYS", default=1)
LIVE_HISTORY_QUARTER_DAYS = env.int("LIVE_HISTORY_QUARTER_DAYS", default=30)
# False lets nobody declare rankings on the page.
LIVE_USER_RANKINGS = env.bool("LIVE_USER_RANKINGS", default=True)
# The sites that may embed a widget, as sources of CSP's frame-ancestors.
LIVE_FRAME_ANCESTORS = env.list("LIVE_FRAME_ANCESTORS", default=[SELF])
# The networks of the proxies in front, and of those who may ask for /readyz and /metrics.
LIVE_TRUSTED_PROXIES = env.list("LIVE_TRUSTED_PROXIES", default=["127.0.0.0/8", "::1"])
LIVE_OPERATORS = env.list("LIVE_OPERATORS", default=["127.0.0.0/8", "::1"])
# Where crossed thresholds are posted. Not env.str(), as above.
LIVE_WEBHOOK_URL = os.environ.get("LIVE_WEBHOOK_URL", "")
LIVE_WEBHOOK_SECRET = os.environ.get("LIVE_WEBHOOK_SECRET", "")

FORMATTERS = {"line": "live.logs.formatters.LineFormatter", "json": "live.logs.formatters.JSONFormatter"}
LOG_FORMAT = env.str("LOG_FORMAT", default="line")
if LOG_FORMAT not in FORMATTERS:
    raise ImproperlyConfigured(f"LOG_FORMAT must be one of {', '.join(FORMATTERS)}, not {LOG_FORMAT!r}.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {name: {"()": formatter} for name, formatter in FORMATTERS.items()},
    # What outsiders can cause as often as they like has few lines and no traceback.
    "filters": {"request_errors": {"()": "live.logs.refused_requests.RequestErrorFilter"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["request_errors"],
        }
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # At INFO, Daphne logs four lines at each start and no requests.
        "daphne": {"level": "WARNING"},
        # live.users.login_log writes the lines of failed logins.
        "axes": {"level": "ERROR"},
        # uvicorn writes its lines itself, those of requests with the whole URL. "handlers" removes its own.
        "uvicorn": {"handlers": [], "level": "WARNING", "propagate": True},
        "uvicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
    },
}
DEFAULT_EXCEPTION_REPORTER = "live.logs.error_reports.Reporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "live.logs.error_reports.ReportFilter"

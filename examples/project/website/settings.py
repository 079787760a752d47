import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = os.environ.get("SECRET_KEY", "only-for-this-example")
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

INSTALLED_APPS = [
    "daphne",  # lets runserver serve WebSockets; without it, pages poll
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_risingwave",
    "live",  # live
    "library",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {"default-src": ["'none'"], "script-src": ["'self'"], "style-src": ["'self'"]}
    | {"img-src": ["'self'"], "connect-src": ["'self'"], "form-action": ["'self'"]}
}
ROOT_URLCONF = "website.urls"
ASGI_APPLICATION = "website.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]

DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"},
    "risingwave": {
        "ENGINE": "django_risingwave",
        "HOST": os.environ.get("RISINGWAVE_HOST", "127.0.0.1"),
        "PORT": os.environ.get("RISINGWAVE_PORT", "4566"),
        "USER": os.environ.get("RISINGWAVE_USER", "root"),
        "NAME": os.environ.get("RISINGWAVE_NAME", "dev"),
    },
}
DATABASE_ROUTERS = ["django_risingwave.routers.RisingWaveRouter"]
USE_TZ = True
STATIC_URL = "static/"

LIVE_OPEN = True  # live: shows the ranking to everyone, not only to users who are logged in

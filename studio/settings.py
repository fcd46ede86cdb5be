"""Django's settings; whatever differs from place to place comes from the environment.

docs/studio.md lists the variables.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

HERE = Path(__file__).resolve().parent


def _flag(name, default=False):
    return os.environ.get(name, "1" if default else "").lower() in ("1", "true", "yes", "on")


def _list(name, default):
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def _secret_key():
    """The environment's; else the one that the first start left in the data folder."""
    given = os.environ.get("DREAM_SECRET_KEY", "")
    kept = DATA / "secret-key"
    if not given and kept.is_file():
        given = kept.read_text().strip()
    if len(given) < 50:
        raise ImproperlyConfigured(
            "DREAM_SECRET_KEY needs at least 50 characters that nobody can guess; 'make serve' "
            "makes one"
        )
    return given


#: Pictures, dreams, and messages of the file-system broker: shared by all machines.
DATA = Path(os.environ.get("DREAM_DATA", "studio-data")).resolve()

SECRET_KEY = _secret_key()
DEBUG = _flag("DREAM_DEBUG")
HOST, PORT = os.environ.get("DREAM_HOST", "127.0.0.1"), int(os.environ.get("DREAM_PORT", "8000"))
ALLOWED_HOSTS = _list("DREAM_HOSTS", "127.0.0.1,localhost,[::1]")
HTTPS = _flag("DREAM_HTTPS")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "studio.people",
    "studio.pictures",
    "studio.dreams",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",  # every page, unless it says not
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "studio.people.headers.SecurityHeaders",
]
ROOT_URLCONF = "studio.urls"
WSGI_APPLICATION = "studio.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Where things are kept

DATABASES = {
    "default": dj_database_url.parse(
        os.environ.get("DREAM_DATABASE") or f"sqlite:///{DATA / 'studio.sqlite3'}",
        conn_max_age=60,
        conn_health_checks=True,
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        # Readers and a writer do not wait for each other; two writers take turns from the start
        # of a transaction, so that none is refused in its middle.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CELERY_BROKER_URL = os.environ.get("DREAM_BROKER") or "filesystem://localhost"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
#: Celery's options of a broker, beside its address: Sentinel's master, a prefix of keys ...
CELERY_BROKER_TRANSPORT_OPTIONS = json.loads(os.environ.get("DREAM_BROKER_OPTIONS") or "{}")
if CELERY_BROKER_URL.startswith("filesystem:"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(DATA / "broker" / "messages"),
        "data_folder_out": str(DATA / "broker" / "messages"),
        "control_folder": str(DATA / "broker" / "control"),
    }
CELERY_TASK_IGNORE_RESULT = True
# A message says only "look at your queue" and is taken off at once: how long a dream lasts is no
# matter to the broker. The claim in the database decides which worker dreams it.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# Limits

#: Bytes of an upload, pixels and sides of a picture.
MAX_UPLOAD = int(float(os.environ.get("DREAM_MAX_UPLOAD", 20e9)))
MAX_PIXELS = int(float(os.environ.get("DREAM_MAX_PIXELS", 2e9)))
MIN_SIDE = 32

#: Frames of a film.
MAX_FRAMES = int(os.environ.get("DREAM_MAX_FRAMES", 600))
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20  # of forms; uploads are streamed to the disk

#: Seconds after which a worker that has not been heard of is taken for lost, between its signs of
#: life, and between two looks for work that nobody was told of.
LEASE = float(os.environ.get("DREAM_LEASE", 20))
HEARTBEAT = LEASE / 5
LOOK_INTERVAL = LEASE / 4

#: A Dask cluster, and the megapixels from which on a picture is dreamt by all of it.
CLUSTER = os.environ.get("DREAM_CLUSTER", "")
CLUSTER_MEGAPIXELS = float(os.environ.get("DREAM_CLUSTER_MEGAPIXELS", 16))

#: The device that tries, plans and examples run on: the web server's own, not a worker's.
TRIAL_DEVICE = os.environ.get("DREAM_TRIAL_DEVICE", "cpu")

# People

LOGIN_URL, LOGIN_REDIRECT_URL, LOGOUT_REDIRECT_URL = "login", "queue", "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]

# The web

STATIC_URL = "static/"
STATIC_ROOT = DATA / "static"
STATICFILES_DIRS = [HERE / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_MANIFEST_STRICT = False
USE_TZ, TIME_ZONE, LANGUAGE_CODE = True, os.environ.get("TZ") or "UTC", "en-gb"

SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if HTTPS:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS if host != "*"]
else:
    # Plain HTTP, for this machine or a network of one's own: there is no TLS to insist on.
    SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008", "security.W012", "security.W016"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("DREAM_LOG", "WARNING")},
    "loggers": {"studio": {"level": "INFO"}},
}

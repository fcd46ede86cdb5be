"""A studio of its own for each test: database, data folder, people."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

pytest.importorskip("django", reason="the studio's extra is not installed")

_place = tempfile.mkdtemp(prefix="studio-tests-")
os.environ.update(
    DREAM_DATA=_place, DREAM_SECRET_KEY=os.urandom(48).hex(), DREAM_HOSTS="testserver",
    DJANGO_SETTINGS_MODULE="studio.settings",
)  # fmt: skip
for name in ("DREAM_DATABASE", "DREAM_BROKER", "DREAM_HTTPS", "DREAM_DEBUG", "DREAM_CLUSTER"):
    os.environ.pop(name, None)

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import (  # noqa: E402
    CaptureQueriesContext,
    setup_test_environment,
    teardown_test_environment,
)

#: Settings of a dream by the small network: a second.
SETTINGS = {
    "model": "small", "end": "mixed/output", "engine": "torch", "octaves": 2, "iterations": 4,
    "seed": 5, "schedule": "shift", "tile_size": 64, "overlap": 8,
}  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def database():
    """One database file, emptied before each test: threads and processes see what a test sees."""
    setup_test_environment()
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    settings.STORAGES["staticfiles"] = {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    call_command("migrate", verbosity=0)
    yield
    connection.close()
    teardown_test_environment()


@pytest.fixture(autouse=True)
def empty(database, tmp_path, monkeypatch):
    """An empty database, a data folder of its own, and messages that go nowhere."""
    from django.core.cache import cache

    from studio.dreams import examples, queue

    call_command("flush", verbosity=0, interactive=False)
    cache.clear()
    monkeypatch.setattr(settings, "DATA", tmp_path)
    sent = []
    monkeypatch.setattr(queue, "send", sent.append)
    monkeypatch.setattr(examples, "prepare", lambda model: None)  # takes a minute of CPU
    return sent


@pytest.fixture
def sent(empty):
    """Queues that were told to look."""
    return empty


def person(name, **more):
    """Make an account, and a browser that is logged in."""
    user = User.objects.create_user(name, password=f"{name}-password", **more)
    client = Client()
    client.force_login(user)
    client.user = user
    return client


@pytest.fixture
def ann():
    """Somebody."""
    return person("ann")


@pytest.fixture
def bob():
    """Somebody else."""
    return person("bob")


@pytest.fixture(scope="session")
def taken_in(database, tmp_path_factory):
    """The folder of a picture as the library keeps it: a sky of 120 x 96."""
    from PIL import Image

    from dreamlib import clouds
    from studio.child.pictures import small_copies

    folder = tmp_path_factory.mktemp("picture")
    Image.fromarray(clouds(120, 96)).save(folder / "original.png")
    small_copies(folder / "original.png", folder)
    return folder


@pytest.fixture
def add_picture(taken_in):
    """Add that picture to somebody's library, as `take_in` would."""
    from studio.pictures.models import Picture

    def add(owner):
        size = (taken_in / "original.png").stat().st_size
        picture = Picture.objects.create(
            owner=owner, name="sky.png", suffix=".png", width=120, height=96, bytes=size
        )
        shutil.copytree(taken_in, picture.folder)
        return picture

    return add


@pytest.fixture
def picture(ann, add_picture):
    """A picture in Ann's library."""
    return add_picture(ann.user)


def add_dream(owner, **more):
    """Queue a dream."""
    from studio.dreams.models import Dream
    from studio.dreams.queue import enqueue

    values = {"owner": owner, "name": "a dream", "noise": "96x96", **more}
    dream = Dream(**values)
    state = more.get("state")
    enqueue(dream)
    if state:
        Dream.objects.filter(pk=dream.pk).update(state=state)
        dream.refresh_from_db()
    return dream


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder of models, where a small network with random weights and ten classes is."""
    from tests.nets import write_random_net

    folder = tmp_path_factory.mktemp("models")
    (folder / "small").mkdir()
    write_random_net(folder / "small")
    labels = ["tench", "goldfish, Carassius auratus", *(f"class {n}" for n in range(2, 10))]
    (folder / "small" / "labels.txt").write_text("\n".join(labels) + "\n")
    (folder / "small" / "model.toml").write_text('class_layer = "classifier"\n')
    return folder


@pytest.fixture(scope="session")
def live_studio(models, tmp_path_factory):
    """A whole studio with one worker, for all tests that need one."""
    from tests.embedded import prepared_model
    from tests.studio.live import Studio

    prepared_model()
    folder = tmp_path_factory.mktemp("live") / "studio"
    with Studio(folder, DREAM_MODELS=str(models), DREAM_LEASE="3") as studio:
        yield studio


@pytest.fixture
def queries():
    """Count the queries in a block."""
    return lambda: CaptureQueriesContext(connection)

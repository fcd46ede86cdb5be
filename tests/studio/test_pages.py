"""Pages: to their owner alone, with what keeps a browser safe, and quickly."""

from __future__ import annotations

import html.parser

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from studio.dreams.models import Device, Dream, State
from tests.studio.conftest import add_dream, person

PAGES = ["/dreams/", "/pictures/", "/dreams/new/", "/password/"]


@pytest.fixture
def done(ann):
    """A finished dream of Ann's, with files as a worker leaves them."""
    dream = add_dream(ann.user, state=State.DONE, suffix=".png")
    (dream.folder / "after_files" / "9").mkdir(parents=True)
    for name in (
        "dream.png", "dream.png.preview.jpg", "after.dzi", "thumbnail.jpg", "settings.toml",
        "after_files/9/0_0.jpg",
    ):  # fmt: skip
        (dream.folder / name).write_bytes(b"0123456789")
    return dream


FILES = ["", "download/", "film/", "after.dzi", "thumbnail.jpg", "preview.jpg", "settings.toml",
         "after_files/9/0_0.jpg"]  # fmt: skip


@pytest.mark.parametrize("page", [*PAGES, "/devices/", "/dreams/events/", "/dreams/state/"])
def test_who_is_not_logged_in_sees_nothing(page):
    answer = Client().get(page)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login/")


@pytest.mark.parametrize("file", FILES)
def test_files_of_a_dream_are_for_its_owner(ann, bob, done, file):
    assert ann.get(f"/dreams/{done.pk}/{file}").status_code == 200
    assert bob.get(f"/dreams/{done.pk}/{file}").status_code == 404
    assert Client().get(f"/dreams/{done.pk}/{file}").status_code == 302


def test_not_even_an_administrator_looks_into_others_dreams(done):
    boss = person("boss", is_staff=True, is_superuser=True)
    assert boss.get(f"/dreams/{done.pk}/download/").status_code == 404


def addresses_with_a_number():
    """List the names of all addresses that name a picture, a dream or an upload."""
    from studio.urls import urlpatterns

    return [one.name for one in urlpatterns if "<uuid:pk>" in str(one.pattern)]


@pytest.mark.parametrize("name", addresses_with_a_number())
def test_no_address_answers_to_whoever_has_anothers_number(ann, bob, done, picture, name):
    from django.urls import resolve, reverse

    from studio.pictures.models import Upload

    upload = Upload.objects.create(owner=ann.user, name="x", bytes=9)
    of = picture if name.startswith("picture") else upload if name == "upload" else done
    rest = {"act": {"action": "delete"}, "tile": {"level": 9, "column": 0, "row": 0}}
    address = reverse(name, kwargs={"pk": of.pk, **rest.get(name.partition("-")[0], {})})
    assert resolve(address).url_name == name
    for method in (bob.get, bob.post, bob.head, bob.delete, bob.patch):
        assert method(address).status_code in (404, 405)
    answers = {bob.get(address).status_code, bob.post(address).status_code,
               bob.head(address).status_code}  # fmt: skip
    assert 404 in answers
    of.refresh_from_db()


def test_another_persons_picture_is_not_to_be_chosen(bob, picture):
    number = str(picture.pk)
    for field in ({"picture": number}, {"noise": "96x96", "guide": number},
                  {"noise": "96x96", "mask": number}):  # fmt: skip
        assert bob.post("/dreams/new/", field).status_code == 422
        assert bob.post("/dreams/plan/", field).status_code == 422
        assert bob.post("/dreams/try/", field).status_code == 422
    assert not Dream.objects.exists()


@pytest.mark.parametrize("action", ["pause", "cancel", "delete", "retry", "sooner", "again"])
def test_nobody_acts_on_anothers_dream(ann, bob, action):
    dream = add_dream(ann.user)
    assert bob.post(f"/dreams/{dream.pk}/{action}/").status_code == 404
    dream.refresh_from_db()
    assert (dream.state, dream.request) == (State.QUEUED, "")


def test_buttons_are_for_posts_with_a_token(ann):
    dream = add_dream(ann.user)
    assert ann.get(f"/dreams/{dream.pk}/cancel/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ann.user)
    assert strict.post(f"/dreams/{dream.pk}/cancel/").status_code == 403


@pytest.mark.parametrize(
    "path",
    ["/dreams/{0}/after_files/9/..%2f..%2fdream.jpg", "/dreams/{0}/after_files/../dream.png",
     "/dreams/{0}/secret.dzi", "/examples/..%2f..%2f/layers/0.jpg", "/examples/nobody/layers.json",
     "/pictures/{0}/original.png"],
)  # fmt: skip
def test_addresses_are_no_paths(ann, done, path):
    assert ann.get(path.format(done.pk)).status_code == 404


def test_a_dream_can_be_deleted_with_its_files_once_it_is_over(ann, done):
    running = add_dream(ann.user)
    ann.post(f"/dreams/{running.pk}/delete/")
    assert Dream.objects.filter(pk=running.pk).exists()
    ann.post(f"/dreams/{done.pk}/delete/")
    assert not done.folder.exists()


@pytest.mark.parametrize("page", PAGES)
def test_every_page_forbids_what_it_does_not_need(ann, page):
    headers = ann.get(page).headers
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "private, no-store"
    assert headers["Referrer-Policy"] == "same-origin"


class Outline(html.parser.HTMLParser):
    """What a page's fields and labels are, and whether anything is inline or from elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.labels, self.fields, self.faults, self.scripts = set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == "label":
            self.labels.add(values.get("for"))
        if tag in ("input", "select", "textarea") and values.get("type") != "hidden":
            self.fields.append(values.get("id"))
        if tag == "img" and "alt" not in values:
            self.faults.append(values)
        if "style" in values or any(name.startswith("on") for name in values):
            self.faults.append(values)
        for name in ("src", "href", "action"):
            if values.get(name, "").startswith(("http:", "https:", "//")):
                self.faults.append(values)
        if tag == "script" and "src" not in values and values.get("type") != "application/json":
            self.faults.append(values)


@pytest.mark.parametrize("page", [*PAGES, "/login/"])
def test_every_field_has_a_label_and_nothing_is_inline_or_from_elsewhere(ann, page, picture):
    client = Client() if page == "/login/" else ann
    outline = Outline(client.get(page).content.decode())
    assert outline.fields or page == "/dreams/"
    assert set(outline.fields) <= outline.labels
    assert not outline.faults


def test_the_page_of_500_dreams_asks_a_handful_of_questions(ann, queries):
    states = [State.QUEUED, State.PAUSED, State.DONE, State.FAILED]
    Dream.objects.bulk_create(
        Dream(owner=ann.user, name=f"dream {n}", state=states[n % 4], position=n, noise="64x64")
        for n in range(500)
    )
    ann.get("/dreams/")
    with queries() as asked:
        page = ann.get("/dreams/")
    assert page.content.decode().count("data-dream=") == 500
    assert len(asked) <= 7


def test_the_library_asks_no_more_for_more_pictures(ann, picture, queries):
    from studio.pictures.models import Picture

    def asked():
        with queries() as captured:
            ann.get("/pictures/")
        return len(captured)

    before = asked()
    Picture.objects.bulk_create(
        Picture(owner=ann.user, name=str(n), suffix=".png", width=9, height=9, bytes=9)
        for n in range(30)
    )
    assert asked() == before


def test_a_new_dream_is_queued_as_the_form_says(ann, picture, sent):
    answer = ann.post("/dreams/new/", {
        "picture": str(picture.pk), "clip": "on", "normalise": "on", "octaves": "2",
        "suffix": ".tif", "queue": "any",
    })  # fmt: skip
    dream = Dream.objects.get()
    assert answer.headers["Location"] == f"/dreams/{dream.pk}/"
    assert (dream.name, dream.settings, dream.suffix) == ("sky.png", {"octaves": 2}, ".tif")
    assert sent == ["any"]


def test_a_form_that_is_wrong_says_where_and_queues_nothing(ann, picture):
    answer = ann.post("/dreams/new/", {"picture": str(picture.pk), "iterations": "0"})
    assert answer.status_code == 422
    assert "greater than or equal to" in answer.content.decode() or "from 1" in str(answer.content)
    assert not Dream.objects.exists()


def test_a_duplicate_begins_with_the_settings_of_the_first(ann, bob, picture):
    dream = add_dream(ann.user, picture=picture, noise="", settings={"octaves": 7}, suffix=".tif")
    form = ann.get(f"/dreams/new/?like={dream.pk}").context["form"]
    assert form["octaves"].value() == 7
    assert form["suffix"].value() == ".tif"
    assert form["picture"].value() == picture.pk
    theirs = bob.get(f"/dreams/new/?like={dream.pk}&picture={picture.pk}").context["form"]
    assert theirs["octaves"].value() == 4
    assert theirs["picture"].value() is None


def test_a_preset_fills_the_form_and_opens_what_is_folded(ann):
    form = ann.get("/dreams/new/?preset=panorama").context["form"]
    assert form["wrap"].value() == "horizontal"
    assert {heading for heading, _, is_open in form.groups() if is_open} == {
        "looks",
        "large pictures",
    }


def test_a_film_is_sent_in_the_parts_that_a_browser_asks_for(ann, done):
    def part(wanted):
        return ann.get(f"/dreams/{done.pk}/film/", headers={"Range": wanted})

    assert part("bytes=2-4").content == b"234"
    assert part("bytes=7-").content == b"789"
    assert part("bytes=-2").content == b"89"
    assert part("bytes=2-4").headers["Content-Range"] == "bytes 2-4/10"
    assert part("bytes=50-60").status_code == 416
    assert part("lines=1-2").status_code == 200


def test_an_administrator_sees_devices_and_everybodys_queue(ann, bob):
    from django.utils import timezone

    add_dream(ann.user, name="Ann's dream")
    Device.objects.create(
        name="cuda:0", worker="attic, process 1", model="A card", memory_total=2 << 30,
        memory_used=1 << 30, temperature=61.4, seen=timezone.now(),
    )  # fmt: skip
    assert bob.get("/devices/").status_code == 302
    boss = person("boss", is_staff=True)
    page = boss.get("/devices/").content.decode()
    for words in ("A card", "61 °C", "1.0\xa0GB of 2.0\xa0GB", "Ann&#x27;s dream"):
        assert words in page


def test_the_first_start_makes_an_administrator_and_says_how_to_log_in_once(capsys, monkeypatch):
    monkeypatch.delenv("DREAM_ADMIN_PASSWORD", raising=False)
    call_command("first_start")
    password = capsys.readouterr().out.split()[-1]
    assert Client().login(username="admin", password=password)
    assert User.objects.get().is_superuser
    call_command("first_start")
    assert capsys.readouterr().out == ""


def test_passwords_cannot_be_guessed_for_long(ann):
    client = Client()

    def log_in(password):
        return client.post("/login/", {"username": "ann", "password": password})

    for _ in range(10):
        assert log_in("a guess").status_code == 200
    assert "Wait five minutes" in log_in("ann-password").content.decode()


def test_djangos_own_check_for_deployment_finds_nothing():
    call_command("check", deploy=True, fail_level="WARNING")


def test_with_https_cookies_are_secure_and_nothing_is_silenced():
    import os
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "studio", "check", "--deploy", "--fail-level", "WARNING"],
        env={**os.environ, "DREAM_HTTPS": "1", "PYTHONPATH": str(settings.HERE.parent)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "0 silenced" in done.stdout

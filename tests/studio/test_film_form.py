"""A film in the form and on its page: what is offered, what is refused, how it is shown."""

from __future__ import annotations

import os

import pytest
from django.conf import settings
from django.test import Client
from PIL import Image

from dreamlib.errors import DreamError
from dreamlib.imaging.samples import clouds
from studio.dreams.forms import DreamForm
from studio.dreams.models import Dream, State
from studio.texts import check_texts
from tests.studio.conftest import add_dream
from tests.studio.test_pages import Outline


def filled(**changes):
    return {
        "noise": "96x96", "clip": "on", "normalise": "on", "keep_tone": "on", "suffix": ".mp4",
        "frames": "30", **changes,
    }  # fmt: skip


def test_the_section_of_films_has_everything_but_files(ann):
    fields = {heading: fields for heading, fields, _ in DreamForm(ann.user).groups()}
    assert [field.name for field in fields["films"]] == [
        "frames", "distort", "distort_every", "vary", "keep_tone", "fps", "loop", "reverse",
        "boomerang",
    ]  # fmt: skip
    assert DreamForm(ann.user).fields["frames"].widget.attrs["max"] == settings.MAX_FRAMES


@pytest.mark.parametrize(
    ("output", "suffix"),
    [(".mp4", ".mp4"), (".webm", ".webm"), (".gif", ".gif"), ("film.webp", ".webp")],
)
def test_a_film_is_of_its_format_and_its_duplicate_too(ann, output, suffix):
    ann.post("/dreams/new/", filled(suffix=output, distort="zoom:0.03, rotate:1", fps="20"))
    dream = Dream.objects.get()
    assert dream.suffix == suffix
    assert dream.is_film
    assert dream.settings == {"frames": 30, "distort": "zoom:0.03, rotate:1", "fps": 20}
    form = ann.get(f"/dreams/new/?like={dream.pk}").context["form"]
    assert form["suffix"].value() == output
    assert {heading for heading, _, is_open in form.groups() if is_open} == {"films"}


def test_a_picture_has_no_settings_of_films(ann):
    form = DreamForm(ann.user, filled(suffix=".webp", frames="", distort="none", reverse="on"))
    assert form.is_valid(), form.errors
    assert form.cleaned_data["settings"] == {}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"frames": ""}, "frames"),
        ({"frames": "0"}, "frames"),
        ({"suffix": ".png"}, "suffix"),
        ({"suffix": ".gif", "fps": "60"}, "fps"),
        ({"reverse": "on", "boomerang": "on"}, "reverse"),
        ({"region": "0,0,64,64"}, "region"),
        ({"distort": "zoooom:1"}, "distort"),
        ({"distort": "python:os:getcwd"}, "distort"),
        ({"distort": "zoom:0.05, python:os:getcwd:every=2"}, "distort"),
        ({"distort": "zoom:0.05,3,python : os:getcwd"}, "distort"),
        ({"vary": "end:a"}, "vary"),
        ({"vary": "guide:/etc/passwd|/etc/group"}, "vary"),
        ({"vary": "step_size:1..2, guide:a.png|b.png"}, "vary"),
        ({"vary": "step_size:1..2,guide:a.png|b.png"}, "vary"),
        ({"vary": "mask:a.png|b.png"}, "vary"),
        ({"vary": "model:a|b"}, "vary"),
        ({"vary": "gif:a.gif|b.gif"}, "vary"),
        ({"vary": "script:a|b"}, "vary"),
    ],
)
def test_what_makes_no_film_or_is_dangerous_is_refused_at_its_field(ann, changes, field):
    form = DreamForm(ann.user, filled(**changes))
    assert list(form.errors) == [field]
    said = " ".join(form.errors[field])
    assert "--" not in said
    assert str(settings.DATA) not in said


@pytest.mark.parametrize(
    "text",
    ["step_size:0.5..2", "step_size:1~2/10, octaves:2..4", "end:mixed/a|mixed/b", "smooth:1|2",
     "target:goldfish|ostrich", "layers:a[1]|a[2], strength:0.5..1"],
)  # fmt: skip
def test_numbers_layers_and_targets_vary(ann, text):
    form = DreamForm(ann.user, filled(vary=text))
    assert form.is_valid(), form.errors
    assert form.cleaned_data["settings"]["vary"] == text


def test_a_module_that_a_distortion_names_is_never_imported(ann, tmp_path, monkeypatch):
    (tmp_path / "intruder.py").write_text("open('was-here', 'w')\ndef f(picture, frame): pass\n")
    monkeypatch.chdir(tmp_path)
    for text in ("python:intruder:f", "zoom:0.05, python:intruder:f", " python:intruder:f"):
        assert not DreamForm(ann.user, filled(distort=text)).is_valid()
        with pytest.raises(DreamError, match="no distortion 'python'"):
            check_texts({"distort": text})
    assert os.listdir(tmp_path) == ["intruder.py"]


def test_paths_of_films_do_not_get_in_through_the_form(ann):
    form = DreamForm(ann.user, filled(gif="/tmp/a.gif", mp4="b.mp4", frame_format="jpg"))
    assert form.is_valid(), form.errors
    assert form.cleaned_data["settings"] == {"frames": 30}


def test_a_preset_of_a_film_makes_one_of_the_picture(ann, picture):
    form = ann.get(f"/dreams/new/?preset=zoom&picture={picture.pk}").context["form"]
    assert form["suffix"].value() == ".mp4"
    assert form["frames"].value() == 100


def film_of(owner, suffix):
    """A finished film, with files as a worker leaves them."""
    dream = add_dream(
        owner, state=State.DONE, suffix=suffix, settings={"frames": 30, "fps": 20.0},
        width=96, height=64, name="sky.png",
    )  # fmt: skip
    dream.folder.mkdir(parents=True)
    for name in (f"dream{suffix}", "view.jpg", "thumbnail.jpg", "last.png", "settings.toml"):
        (dream.folder / name).write_bytes(b"0123456789")
    return dream


def test_dreaming_again_continues_from_the_last_frame(ann):
    dream = film_of(ann.user, ".gif")
    Image.fromarray(clouds(96, 64)).save(dream.folder / "last.png")
    answer = ann.post(f"/dreams/{dream.pk}/again/")
    taken = ann.user.pictures.get()
    assert (taken.name, taken.width, taken.height) == ("sky dreamt.png", 96, 64)
    assert taken.file.read_bytes() == (dream.folder / "last.png").read_bytes()
    form = ann.get(answer.headers["Location"]).context["form"]
    assert (form["picture"].value(), form["frames"].value()) == (taken.pk, 30)
    assert form["suffix"].value() == ".gif"


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_film_plays_in_the_page_with_the_browsers_controls(ann, suffix):
    dream = film_of(ann.user, suffix)
    page = ann.get(f"/dreams/{dream.pk}/").content.decode()
    video = page[page.index("<video") : page.index("</video>")]
    assert f'src="/dreams/{dream.pk}/film/"' in video
    assert f'poster="/dreams/{dream.pk}/poster.jpg"' in video
    assert " controls loop " in video
    assert "autoplay" not in video
    assert "30 frames, 20.0 a second" in page
    assert "openseadragon" not in page
    assert not Outline(page).faults


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_moving_picture_rests_until_a_script_knows_that_it_may_move(ann, suffix):
    dream = film_of(ann.user, suffix)
    page = ann.get(f"/dreams/{dream.pk}/").content.decode()
    assert f'src="/dreams/{dream.pk}/poster.jpg" data-film="/dreams/{dream.pk}/film/"' in page
    assert 'id="play">Play</button>' in page
    assert "<video" not in page


def test_a_webp_that_is_a_picture_is_zoomed_into(ann):
    dream = add_dream(ann.user, state=State.DONE, suffix=".webp")
    page = ann.get(f"/dreams/{dream.pk}/").content.decode()
    assert 'id="viewers"' in page
    assert 'id="film"' not in page


def test_the_poster_and_the_film_are_for_their_owner(ann, bob):
    dream = film_of(ann.user, ".mp4")
    for file, kind in (("poster.jpg", "image/jpeg"), ("film/", "video/mp4")):
        address = f"/dreams/{dream.pk}/{file}"
        assert ann.get(address).headers["Content-Type"] == kind
        assert bob.get(address).status_code == 404
        assert Client().get(address).status_code == 302
    download = ann.get(f"/dreams/{dream.pk}/download/").headers["Content-Disposition"]
    assert download == 'attachment; filename="sky_dream.mp4"'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("layers", "style(a, /etc/passwd)"),
        ("layers", "a@/etc/passwd:2"),
        ("guide_layer", "a@/etc/passwd"),
        ("vary", "layers:a..style(b, /etc/passwd)"),
        ("vary", "layers:a|b@/etc/passwd"),
    ],
)
def test_no_mixture_names_a_file_of_the_servers(ann, name, text):
    form = DreamForm(ann.user, filled(**{name: text}))
    assert not form.is_valid()
    assert "passwd" not in str(form.errors.as_json())
    assert name in form.errors


def test_mixtures_without_files_and_fades_are_let_in(ann):
    for given in ({"layers": "mean(a[1]):2, b[3]@4x5"}, {"vary": "layers:a..b[2], target:1..2"}):
        assert DreamForm(ann.user, filled(**given)).is_valid()

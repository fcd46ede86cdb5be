"""Uploads: resumed, limited, and nothing but pictures."""

from __future__ import annotations

import base64
import io
import struct
import subprocess
import sys
import zlib

import pytest
from django.conf import settings
from django.test import Client
from PIL import Image

from dreamlib.imaging.samples import clouds
from studio.dreams.models import State
from studio.pictures.library import display_name
from studio.pictures.models import Picture, Upload
from tests.studio.conftest import add_dream

STREAM = "application/offset+octet-stream"


def encoded(kind="PNG", size=(120, 96)):
    file = io.BytesIO()
    Image.fromarray(clouds(*size)).save(file, kind)
    return file.getvalue()


def begin(client, length, name="sky.png"):
    word = base64.b64encode(name.encode()).decode()
    return client.post("/pictures/uploads/", headers={
        "Upload-Length": str(length), "Upload-Metadata": f"filename {word}",
    })  # fmt: skip


def patch(client, address, data, offset):
    return client.patch(address, data, STREAM, headers={"Upload-Offset": str(offset)})


def upload(client, data, name="sky.png"):
    return patch(client, begin(client, len(data), name).headers["Location"], data, 0)


def bomb(width, height):
    """A PNG whose header promises more than anybody can hold."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data)
        )  # fmt: skip

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(1 << 16))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


#: What makes a GIF's header one of a picture.
GIF_FRAME = b"," + bytes(4) + b"\xff\xff" * 2 + b"\0\2\2D\1\0;"


def test_an_upload_that_was_cut_resumes_where_it_was(ann):
    data = encoded()
    address = begin(ann, len(data)).headers["Location"]
    assert patch(ann, address, data[:700], 0).headers["Upload-Offset"] == "700"
    assert ann.head(address).headers["Upload-Offset"] == "700"
    assert patch(ann, address, data[600:], 600).status_code == 409
    done = patch(ann, address, data[700:], 700)
    picture = Picture.objects.get(pk=done.headers["Picture"])
    assert (picture.width, picture.height, picture.bits) == (120, 96, 8)
    assert picture.file.read_bytes() == data
    assert not Upload.objects.exists()
    assert not list((settings.DATA / "uploads").iterdir())


def test_more_than_was_announced_is_not_written(ann):
    data = encoded()
    done = patch(ann, begin(ann, len(data)).headers["Location"], data + b"more", 0)
    assert Picture.objects.get(pk=done.headers["Picture"]).bytes == len(data)


def test_an_upload_is_of_whoever_began_it(ann, bob):
    address = begin(ann, 1000).headers["Location"]
    assert bob.head(address).status_code == 404
    assert patch(bob, address, b"x", 0).status_code == 404
    assert bob.delete(address).status_code == 404
    assert ann.delete(address).status_code == 204
    assert ann.head(address).status_code == 404


def test_uploads_need_the_token_against_forgery(ann):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ann.user)
    assert begin(strict, 10).status_code == 403


def test_too_large_a_file_is_refused_before_it_is_sent(ann, monkeypatch):
    monkeypatch.setattr(settings, "MAX_UPLOAD", 1000)
    assert begin(ann, 1001).status_code == 413
    assert begin(ann, 0).status_code == 400
    assert begin(ann, "-5").status_code == 400
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "no picture"),
        (b"<!doctype html><script>alert(1)</script>", "no picture"),
        (b"%PDF-1.4 nothing", "no picture"),
        (b"\x7fELF\x02\x01\x01" + bytes(500), "no picture"),
        (b"MZ" + bytes(500), "no picture"),
        (b"\x89PNG\r\n\x1a\n", "no picture"),
        (bytes(4096), "no picture"),
        (bomb(60_000, 60_000), "3600 million; at most"),
        (bomb(2**31 - 1, 2**31 - 1), "million; at most"),
        (b"GIF89a" + b"\xff\xff" * 2 + bytes(3) + GIF_FRAME, "4295 million; at most"),
        (encoded(size=(10_000, 1)), "a side of 32 is the least"),
        (encoded(size=(200, 8)), "a side of 32 is the least"),
        (encoded()[:2000], "truncated"),
    ],
    ids=["svg", "html", "pdf", "elf", "exe", "signature", "zeros", "bomb", "bomb of bombs",
         "gif bomb", "line", "strip", "truncated"],
)  # fmt: skip
def test_what_is_no_picture_to_dream_is_refused_in_words_and_leaves_nothing(ann, data, said):
    refused = upload(ann, data, "picture.png")
    assert refused.status_code == 422
    assert said in refused.json()["error"]
    assert str(settings.DATA) not in refused.json()["error"]
    assert not Picture.objects.exists()
    assert not list((settings.DATA / "uploads").iterdir())
    assert not list(settings.DATA.glob("pictures/*/*"))


def test_formats_that_are_not_for_dreaming_are_refused_by_what_is_in_them(ann):
    file = io.BytesIO()
    Image.fromarray(clouds(64, 64)).save(file, "ICO")
    refused = upload(ann, file.getvalue(), "innocent.png")
    assert "this is a ICO file" in refused.json()["error"]


def test_a_file_is_named_by_its_number_and_its_contents_alone(ann):
    done = upload(ann, encoded("JPEG"), "../../<script>alert(1)</script>.php")
    picture = Picture.objects.get(pk=done.headers["Picture"])
    assert picture.name == "script>.php"
    assert picture.file == settings.DATA / "pictures" / str(picture.pk) / "original.jpg"
    page = ann.get("/pictures/").content.decode()
    assert "script&gt;.php" in page
    assert "<script>alert" not in page


def test_a_bomb_in_a_pictures_text_is_refused_before_it_takes_memory(ann, tmp_path):
    chunk = b"zTXtbomb\0\0" + zlib.compress(bytes(300 << 20))
    whole = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = encoded()
    data = data[:33] + whole + data[33:]
    assert upload(ann, data).status_code == 422
    assert not Picture.objects.exists()
    file = tmp_path / "bomb.png"
    file.write_bytes(data)
    order = {"kind": "inspect", "path": str(file), "folder": str(tmp_path / "copies"),
             "max_pixels": 10**9, "min_side": 32}  # fmt: skip
    script = (
        "import resource\n"
        "from dreamlib.errors import DreamError\n"
        "from studio.children import ask\n"
        f"try: ask({order!r}, 60)\n"
        "except DreamError: print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 200 << 10  # KiB; the text alone would be 300 MiB


def test_a_bomb_within_the_limit_of_bytes_meets_the_limit_of_pixels(ann, monkeypatch):
    monkeypatch.setattr(settings, "MAX_PIXELS", 10_000)
    refused = upload(ann, encoded(size=(120, 96)))
    assert refused.status_code == 422
    assert "120 x 96 pixels" in refused.json()["error"]


def test_a_body_that_is_longer_than_all_that_is_taken_is_not_read(ann, monkeypatch):
    monkeypatch.setattr(settings, "MAX_UPLOAD", 1000)
    address = begin(ann, 1000).headers["Location"]
    assert patch(ann, address, bytes(5000), 0).status_code == 422
    assert begin(ann, 5000).status_code == 413
    assert not list((settings.DATA / "uploads").iterdir())


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>.png", "../../../etc/passwd", "a\x00b\r\nSet-Cookie: x=1.png",
     "\u202egnp.exe", "'\";--.png", "{{ 7*7 }}{% now %}.png", "con .png", "\\\\host\\share\\x.png"],
)  # fmt: skip
def test_whatever_a_file_is_called_pages_and_downloads_are_sound(ann, name):
    done = upload(ann, encoded(), name)
    picture = Picture.objects.get(pk=done.headers["Picture"])
    assert picture.file.parent == settings.DATA / "pictures" / str(picture.pk)
    assert sorted(path.name for path in settings.DATA.iterdir()) == ["pictures", "uploads"]
    for page in ("/pictures/", f"/dreams/new/?picture={picture.pk}"):
        text = ann.get(page).content.decode()
        assert "<script>alert" not in text
        assert "\x00" not in text
        assert "\u202e" not in text
    answer = ann.get(f"/pictures/{picture.pk}/original/")
    answer.close()
    said = answer.headers["Content-Disposition"]
    assert said.startswith("attachment; filename")
    assert not set("\r\n\x00/") & set(said)
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("given", "shown"),
    [("a/b.png", "b.png"), ("C:\\x\\b.png", "b.png"), ("\x00\n", "picture"), ("", "picture"),
     ("é" * 300, "é" * 120)],
)  # fmt: skip
def test_names_are_shown_without_folders_and_signs_that_cannot_be_printed(given, shown):
    assert display_name(given) == shown


def test_a_picture_of_sixteen_bits_says_so(ann):
    file = io.BytesIO()
    pixels = clouds(64, 64)[..., 0].astype("uint16") * 257
    Image.fromarray(pixels).save(file, "PNG")
    done = upload(ann, file.getvalue())
    assert Picture.objects.get(pk=done.headers["Picture"]).bits == 16


def test_a_picture_goes_with_all_its_files_unless_it_is_still_needed(ann, picture):
    dream = add_dream(ann.user, picture=picture, noise="")
    ann.post(f"/pictures/{picture.pk}/delete/")
    assert picture.file.exists()
    dream.state = State.DONE
    dream.save()
    ann.post(f"/pictures/{picture.pk}/delete/")
    assert not picture.folder.exists()
    dream.refresh_from_db()
    assert dream.picture is None

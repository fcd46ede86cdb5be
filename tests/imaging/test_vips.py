"""Large pictures: what goes in and out through libvips, in bounded memory."""

import builtins
import io
import os
import signal
import struct
import subprocess
import sys
import xml.etree.ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dreamlib.errors import DreamError
from dreamlib.imaging.formats import check_size
from dreamlib.imaging.picture import RawFile, Window
from dreamlib.imaging.pillow_io import load_picture, read_settings_text
from dreamlib.imaging.vips import writing
from dreamlib.imaging.vips.cutting import deep_zoom
from dreamlib.imaging.vips.reading import open_picture
from dreamlib.imaging.vips.tifftags import add_texts
from dreamlib.imaging.vips.writing import save_picture
from dreamlib.util.subprocesses import environment
from tests.imaging.pictures import (
    ARTIST,
    MAKER,
    SRGB,
    SUFFIXES,
    TEXT,
    exif_of,
    files_of_at_most,
    noise,
    read_exif,
    saved,
    see_through,
    smooth,
)

pyvips = pytest.importorskip("pyvips")


def vips_saved(pixels, path, **options):
    """Save with libvips itself: Pillow has no 16 bits of several channels."""
    kind = "rgb16" if pixels.dtype == np.uint16 else "srgb"
    image = pyvips.Image.new_from_array(pixels).copy(interpretation=kind)
    image.write_to_file(str(path), **options)
    return str(path)


def decoded(path, rows=16):
    return np.concatenate([strip for _, strip in open_picture(path).strips(rows)])


def alpha_of(path):
    image = pyvips.Image.new_from_file(path)
    return image[image.bands - 1].numpy().reshape(image.height, image.width)


def rich(folder, alpha=True, dtype=np.uint8, pixels=None):
    """A picture with all that goes around a dream."""
    pixels = smooth(dtype=dtype) if pixels is None else pixels
    if alpha:
        pixels = np.dstack([pixels, see_through(*pixels.shape[:2], dtype=dtype)])
    exif = exif_of(maker="maker", artist="an artist (a, b)")
    image = pyvips.Image.new_from_array(pixels)
    image = image.copy(interpretation="rgb16" if dtype == np.uint16 else "srgb", xres=6, yres=6)
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", SRGB)
    image.set_type(pyvips.GValue.blob_type, "exif-data", exif)
    image.pngsave(os.path.join(folder, "rich.png"))
    return open_picture(os.path.join(folder, "rich.png"))


# In.


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_pixels_agree_with_pillow(tmp_path, suffix, mode):
    image = Image.fromarray(noise()).convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.fromarray(noise(seed=1)[..., 0]))
    path = saved(image, tmp_path / f"picture{suffix}")
    picture = open_picture(path)
    assert (picture.width, picture.height) == image.size
    assert picture.dtype == np.uint8
    assert picture.has_alpha is (mode in ("RGBA", "LA"))
    assert np.array_equal(decoded(path), load_picture(path).pixels)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_stay_sixteen(tmp_path, suffix):
    pixels = noise(dtype=np.uint16)
    path = vips_saved(pixels, tmp_path / f"deep{suffix}")
    assert open_picture(path).dtype == np.uint16
    assert np.array_equal(decoded(path), pixels)


def test_cmyk_becomes_rgb(tmp_path):
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    path = saved(image, tmp_path / "cmyk.tif")
    red, green, blue = decoded(path)[0, 0]
    assert red > 180
    assert max(green, blue) < 60
    assert not open_picture(path).has_alpha


def test_ycbcr_that_libvips_takes_for_rgb_is_refused(tmp_path):
    path = saved(Image.fromarray(smooth()).convert("YCbCr"), tmp_path / "ycc.tif")
    with pytest.raises(DreamError, match="YCbCr"):
        open_picture(path)


def test_channels_that_are_no_colours_are_refused(tmp_path):
    image = pyvips.Image.new_from_array(noise(bands=5)).copy(interpretation="b-w")
    image.tiffsave(str(tmp_path / "five.tif"))
    with pytest.raises(DreamError, match="5 channels"):
        open_picture(str(tmp_path / "five.tif"))


@pytest.mark.parametrize(("orientation", "dpi"), [(3, (100, 200)), (6, (200, 100))])
def test_the_resolution_turns_with_the_picture(tmp_path, orientation, dpi):
    exif = exif_of(orientation=orientation)
    path = saved(smooth(), tmp_path / "turned.jpg", exif=exif, dpi=(100, 200))
    assert open_picture(path).metadata.dpi == pytest.approx(dpi, rel=0.01)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """One picture laid out in different ways."""
    folder = tmp_path_factory.mktemp("layouts")
    pixels = noise(300, 200)
    layouts = {
        "strip.tif": {"compression": "deflate", "predictor": "horizontal"},
        "tile.tif": {"tile": True, "tile_width": 64, "tile_height": 64},
        "pyramid.tif": {"tile": True, "pyramid": True, "compression": "lzw"},
        "plain.png": {},
        "interlaced.png": {"interlace": True},
        "lossless.webp": {"lossless": True},
    }
    return pixels, [vips_saved(pixels, folder / name, **how) for name, how in layouts.items()]


@settings(max_examples=60)
@given(which=st.integers(0, 5), rows=st.integers(1, 320))
def test_strips_cover_every_row_once(pictures, which, rows):
    pixels, paths = pictures
    following = 0
    for top, strip in open_picture(paths[which]).strips(rows):
        assert top == following
        assert np.array_equal(strip, pixels[top : top + rows])
        following += len(strip)
    assert following == len(pixels)


def test_a_picture_can_be_read_twice(tmp_path):
    path = saved(noise(), tmp_path / "p.png")
    picture = open_picture(path)
    first, second = ([s for _, s in picture.strips(10)] for _ in range(2))
    assert np.array_equal(np.concatenate(first), np.concatenate(second))


def test_a_path_with_brackets_is_a_path(tmp_path):
    folder = tmp_path / "run[1]"
    folder.mkdir()
    source = vips_saved(noise(), tmp_path / "plain.png")
    os.rename(source, folder / "in[page=2].png")
    picture = open_picture(str(folder / "in[page=2].png"))
    for name in ("out[Q=1].png", "out.tif", "a.b[1].dzi"):
        save_picture(str(folder / name), noise(), TEXT, picture)
        assert (folder / name).exists()


def test_a_tiff_cut_behind_its_header_is_refused_while_reading(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(noise(200, 200)).save(buffer, "TIFF")  # Pillow writes the directory first
    path = tmp_path / "cut.tif"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    strips = open_picture(str(path)).strips(20)
    assert next(strips)[0] == 0
    with pytest.raises(DreamError, match=r"cut\.tif cannot be read to its end"):
        list(strips)


def test_a_file_that_changed_its_size_is_refused(tmp_path):
    path = saved(noise(), tmp_path / "p.png")
    picture = open_picture(path)
    saved(noise(10, 10), path)
    with pytest.raises(DreamError, match="changed"):
        next(picture.strips(5))


def test_without_pyvips_it_says_what_to_install(monkeypatch, tmp_path):
    original = builtins.__import__

    def refuse(name, *arguments, **options):
        if name == "pyvips":
            raise ImportError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DreamError, match=r"pip install 'dreamlib\[vips\]'"):
        open_picture("any.png")


# Out.


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from([".png", ".tif"]),
    deep=st.booleans(),
    alpha=st.booleans(),
    raw=st.booleans(),
    tiff=st.sampled_from(["strip", "tile", "pyramid"]),
    height=st.integers(1, 80),
    width=st.integers(1, 80),
)
def test_without_loss_pixels_come_back(tmp_path, suffix, deep, alpha, raw, tiff, height, width):
    dtype = np.uint16 if deep else np.uint8
    pixels = given_pixels = noise(height, width, dtype=dtype)
    if raw:
        pixels.tofile(tmp_path / "pixels.raw")
        given_pixels = RawFile(str(tmp_path / "pixels.raw"), height, width, dtype)
    like = rich(tmp_path, alpha, np.uint8, smooth(height, width))
    path = str(tmp_path / f"out{suffix}")
    assert save_picture(path, given_pixels, TEXT, like, tiff=tiff)
    assert open_picture(path).dtype == dtype
    assert open_picture(path).has_alpha == alpha
    assert np.array_equal(decoded(path), pixels)
    if alpha:
        expected = see_through(height, width).astype(dtype) * (257 if deep else 1)
        assert np.array_equal(alpha_of(path), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_belongs_to_the_picture_travels(tmp_path, suffix, dtype):
    like = rich(tmp_path, suffix != ".jpg", dtype)
    path = str(tmp_path / f"out{suffix}")
    assert save_picture(path, smooth(dtype=dtype), TEXT, like)
    picture = open_picture(path)
    exif = read_exif(picture.metadata.exif)
    assert picture.metadata.icc_profile == like.metadata.icc_profile == SRGB
    assert (exif[MAKER], exif[ARTIST]) == ("maker", "an artist (a, b)")
    if suffix != ".webp":  # whose resolution libvips does not read
        assert picture.metadata.dpi == pytest.approx((152.4, 152.4), abs=0.6)
    assert picture.has_alpha is (suffix != ".jpg")
    assert picture.dtype == (dtype if suffix in (".png", ".tif") else np.uint8)
    assert np.abs(decoded(path) / (257 if picture.dtype == np.uint16 else 1) - smooth()).max() < 12


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".dzi"])
def test_sixteen_bits_are_rounded_to_eight(tmp_path, monkeypatch, suffix):
    seen = []
    monkeypatch.setattr(writing, "_save", lambda image, *rest: seen.append(image.numpy()))
    monkeypatch.setattr(writing, "save_tiles", lambda image, *rest: seen.append(image.numpy()))
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    save_picture(str(tmp_path / f"out{suffix}"), np.dstack([values] * 3), "")
    assert np.array_equal(seen[0][..., 0], np.rint(values / 257).astype(np.uint8))


def test_a_pyramid_has_its_levels(tmp_path):
    path = str(tmp_path / "out.tif")
    save_picture(path, smooth(600, 1000), TEXT, tiff="pyramid")
    with Image.open(path) as image:
        sizes = []
        for level in range(image.n_frames):
            image.seek(level)
            sizes.append(image.size)
    assert sizes == [(1000, 600), (500, 300), (250, 150)]
    assert np.array_equal(decoded(path), smooth(600, 1000))


def test_a_large_tiff_is_a_bigtiff(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "BIG_TIFF", 1000)
    path = str(tmp_path / "out.tif")
    like = rich(tmp_path)
    save_picture(path, smooth(), "octaves = 3\n", like)
    with open(path, "rb") as file:
        assert struct.unpack("<H", file.read(4)[2:])[0] == 43
    assert np.array_equal(decoded(path), smooth())
    assert read_settings_text(path) == "octaves = 3\n"


def test_deep_zooms_tiles_make_up_the_picture(tmp_path):
    path = tmp_path / "out.dzi"
    pixels = smooth(300, 600)
    assert save_picture(str(path), pixels, TEXT, quality=95) is False
    root = xml.etree.ElementTree.parse(path).getroot()
    size, overlap = int(root.get("TileSize")), int(root.get("Overlap"))
    whole = np.zeros_like(pixels)
    level = max(int(name) for name in os.listdir(tmp_path / "out_files") if name.isdigit())
    for tile in (tmp_path / "out_files" / str(level)).iterdir():
        column, row = (int(part) for part in tile.stem.split("_"))
        left, top = max(0, column * size - overlap), max(0, row * size - overlap)
        with Image.open(tile) as image:
            whole[top : top + image.height, left : left + image.width] = image
    assert np.abs(whole.astype(int) - pixels).max() < 12
    assert sorted(os.listdir(tmp_path)) == ["out.dzi", "out_files"]


def test_a_deep_zoom_replaces_the_one_before(tmp_path):
    path = tmp_path / "out.dzi"
    save_picture(str(path), smooth(600, 900), TEXT)
    save_picture(str(path), smooth(30, 40), TEXT)
    assert 'Width="40"' in path.read_text()
    assert sorted(os.listdir(tmp_path)) == ["out.dzi", "out_files"]
    assert len(list((tmp_path / "out_files").rglob("*.jpg"))) == 7


def test_a_deep_zoom_that_cannot_take_its_place_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "out.dzi"
    save_picture(str(path), smooth(), TEXT)
    before = sorted(os.listdir(tmp_path / "out_files")), path.read_text()

    def fail(*names):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(DreamError, match="Input/output"):
        save_picture(str(path), smooth(900, 900), TEXT)
    assert (sorted(os.listdir(tmp_path / "out_files")), path.read_text()) == before
    assert sorted(os.listdir(tmp_path)) == ["out.dzi", "out_files"]


@pytest.mark.parametrize(
    ("suffix", "tiff"), [(".dzi", "strip"), (".tif", "tile"), (".tif", "pyramid")]
)
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, suffix, tiff):
    path = tmp_path / f"out{suffix}"
    path.write_text("old")
    with files_of_at_most(1000), pytest.raises(DreamError, match="cannot be written"):
        save_picture(str(path), noise(400, 400), TEXT, tiff=tiff)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]


@pytest.fixture
def interrupted(monkeypatch):
    """Have Ctrl-C come while libvips asks for the 20th piece of a file."""
    read, left = os.read, [20]

    def reading(*arguments):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return read(*arguments)

    monkeypatch.setattr(os, "read", reading)
    # What a shell starts in the background ignores Ctrl-C from the start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_ctrl_c_while_writing_leaves_nothing(tmp_path, interrupted, suffix):
    like = rich(tmp_path, pixels=noise(400, 400))
    with pytest.raises(KeyboardInterrupt):
        save_picture(str(tmp_path / f"out{suffix}"), noise(400, 400), TEXT, like)
    assert os.listdir(tmp_path) == ["rich.png"]


def test_ctrl_c_while_reading_is_no_truncated_picture(tmp_path, interrupted):
    strips = open_picture(vips_saved(noise(400, 400), tmp_path / "p.png")).strips(400)
    with pytest.raises(KeyboardInterrupt):
        next(strips)


MEMORY = """
import sys
from dreamlib.imaging.picture import RawFile
from dreamlib.imaging.vips.reading import open_picture
from dreamlib.imaging.vips.writing import save_picture
from dreamlib.util.memory import peak_memory


def copy(source, target):
    picture = open_picture(source)
    with open("pixels.raw", "wb") as file:
        for _, strip in picture.strips(64):
            strip.tofile(file)
    raw = RawFile("pixels.raw", picture.height, picture.width, picture.dtype)
    save_picture(target, raw, "", picture)


copy("low.jpg", sys.argv[1])
before = peak_memory()
copy("high.jpg", sys.argv[1])
print(peak_memory() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux's /proc")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".dzi"])
def test_memory_does_not_grow_with_the_height(tmp_path, suffix):
    for name, height in (("low", 1000), ("high", 40_000)):
        image = pyvips.Image.new_from_array(smooth(500, 1000)).copy(interpretation="srgb")
        image.replicate(1, height // 500).jpegsave(str(tmp_path / f"{name}.jpg"))
    command = [sys.executable, "-c", MEMORY, f"out{suffix}"]
    output = subprocess.run(
        command, cwd=tmp_path, env=environment(), check=True, capture_output=True
    )
    assert int(output.stdout) < 40 << 20  # of 120 MB of pixels


def test_a_broken_source_of_alpha_leaves_nothing(tmp_path):
    like = rich(tmp_path, pixels=noise(300, 300))
    os.truncate(like.path, os.path.getsize(like.path) // 2)
    with pytest.raises(DreamError, match="cannot be written"):
        save_picture(str(tmp_path / "out.png"), noise(300, 300), TEXT, like)
    assert os.listdir(tmp_path) == ["rich.png"]


def test_the_widest_jpeg_that_is_not_refused_can_be_written(tmp_path):
    path = str(tmp_path / "wide.jpg")
    check_size(path, 65500, 1)
    save_picture(path, np.zeros((1, 65500, 3), np.uint8), "")
    assert open_picture(path).width == 65500


def test_a_raw_file_of_another_size_is_refused(tmp_path):
    (tmp_path / "short.raw").write_bytes(bytes(100))
    raw = RawFile(str(tmp_path / "short.raw"), 10, 10, np.uint8)
    with pytest.raises(DreamError, match=r"short\.raw has 100 bytes.*need 300"):
        save_picture(str(tmp_path / "out.png"), raw, TEXT)


def test_an_alpha_of_another_size_is_refused(tmp_path):
    with pytest.raises(DreamError, match=r"96x64.*53x37"):
        save_picture(str(tmp_path / "out.png"), noise(), TEXT, rich(tmp_path))


def test_texts_go_into_tiffs_of_either_byte_order(tmp_path):
    # A directory without entries, big-endian.
    path = tmp_path / "empty.tif"
    path.write_bytes(b"MM\0*" + struct.pack(">I", 8) + struct.pack(">HI", 0, 0))
    add_texts(str(path), {270: "a text", 271: "b"})
    data = path.read_bytes()
    (first,) = struct.unpack(">I", data[4:8])
    count, tag, kind, length, where = struct.unpack(">HHHII", data[first : first + 14])
    assert (count, tag, kind, length) == (2, 270, 2, 7)
    assert data[where : where + 7] == b"a text\0"
    assert data[first + 14 : first + 26] == struct.pack(">HHI4s", 271, 2, 2, b"b\0\0\0")


def finest_tile(tiles):
    level = max(int(name) for name in os.listdir(tiles) if name.isdigit())
    return Image.open(tiles / str(level) / "0_0.jpg")


@pytest.mark.parametrize("region", [None, Window(20, 30, 40, 50)])
def test_a_file_or_a_part_of_it_is_cut_into_tiles_with_its_profile(tmp_path, region):
    pixels = smooth(90, 110)
    Image.fromarray(pixels).save(tmp_path / "in.png", icc_profile=SRGB)
    part = pixels
    if region:
        part = pixels[20:60, 30:80]
    height, width = part.shape[:2]
    assert deep_zoom(str(tmp_path / "in.png"), str(tmp_path / "out.dzi"), region) == (width, height)
    tile = finest_tile(tmp_path / "out_files")
    assert tile.info["icc_profile"] == SRGB
    assert np.abs(np.asarray(tile).astype(int) - part).mean() < 3


def test_sixteen_bits_are_cut_into_tiles_of_eight(tmp_path):
    pixels = smooth(40, 50, np.uint16)
    save_picture(str(tmp_path / "in.tif"), pixels, "")
    deep_zoom(str(tmp_path / "in.tif"), str(tmp_path / "out.dzi"))
    tile = finest_tile(tmp_path / "out_files")
    assert np.abs(np.asarray(tile).astype(int) - pixels / 257).mean() < 3


def test_what_is_no_picture_is_not_cut_into_tiles(tmp_path):
    (tmp_path / "in.png").write_bytes(b"nothing")
    with pytest.raises(DreamError, match="is no picture"):
        deep_zoom(str(tmp_path / "in.png"), str(tmp_path / "out.dzi"))
    assert os.listdir(tmp_path) == ["in.png"]

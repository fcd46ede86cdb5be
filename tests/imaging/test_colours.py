"""Colours: whoever reads a file, Pillow or libvips, they are the same."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from dreamlib.errors import DreamError
from dreamlib.imaging import open_save
from dreamlib.imaging.open_save import open_picture
from dreamlib.imaging.tiff_header import tiff_tags
from tests.imaging.pictures import SRGB, noise, saved, smooth

pyvips = pytest.importorskip("pyvips")

RAMP = np.arange(65536, dtype=np.uint32).reshape(256, 256)


@pytest.fixture
def both(monkeypatch):
    """Read a file by the small path and by the large one: two (H, W, 3) arrays from 0 to 255."""

    def read(path):
        with monkeypatch.context() as patch:
            small = levels(path)
            patch.setattr(open_save, "LARGE", -1)
            return small, levels(path)

    return read


def opened(path):
    return open_picture(str(path), 0, "")


def levels(path):
    picture = opened(path)
    pixels = np.concatenate([rows for _, rows in picture.strips(10)]).astype(float)
    return pixels / 257 if picture.dtype == np.uint16 else pixels


def alone(monkeypatch):
    """Take libvips away."""
    monkeypatch.setattr(open_save, "has_libvips", lambda: False)


def cmyk(folder, name, profile=None, pixels=None):
    image = Image.fromarray(noise(64, 96) if pixels is None else pixels).convert("CMYK")
    options = {"icc_profile": profile} if profile else {}
    if name.endswith("jpg"):
        options.update(quality=95)
    return saved(image, folder / name, **options)


@pytest.fixture(scope="module")
def cmyk_profile():
    """libvips' own profile of inks."""
    image = pyvips.Image.new_from_array(smooth()).copy(interpretation="srgb")
    return image.icc_transform("cmyk", input_profile="srgb").get("icc-profile-data")


@pytest.mark.parametrize("name", ["inks.jpg", "inks.tif"])
@pytest.mark.parametrize("profile", ["none", "inks'", "bogus", "sRGB"])
def test_inks_are_the_same_on_both_ways(tmp_path, both, cmyk_profile, name, profile):
    data = {"none": None, "inks'": cmyk_profile, "bogus": b"no profile" * 30, "sRGB": SRGB}
    small, large = both(cmyk(tmp_path, name, data[profile]))
    assert np.abs(small - large).max() <= 1


@pytest.mark.parametrize("name", ["inks.jpg", "inks.tif"])
def test_inks_without_a_profile_are_those_of_browsers(tmp_path, both, name):
    pixels = np.full((16, 16, 3), (200, 40, 90), np.uint8)
    image = np.asarray(Image.fromarray(pixels).convert("CMYK")).astype(float) / 255
    expected = 255 * (1 - image[..., :3]) * (1 - image[..., 3:])
    for found in both(cmyk(tmp_path, name, pixels=pixels)):
        assert np.abs(found - expected).max() <= (3 if name.endswith("jpg") else 0.51)


def test_inks_of_a_profile_are_converted_relatively_with_the_black_point(
    tmp_path, both, cmyk_profile
):
    path = cmyk(tmp_path, "inks.tif", cmyk_profile)
    expected = ImageCms.profileToProfile(
        Image.open(path), io.BytesIO(cmyk_profile), ImageCms.createProfile("sRGB"),
        renderingIntent=1, outputMode="RGB", flags=0x2000,
    )  # fmt: skip
    for found in both(path):
        assert np.abs(found - np.asarray(expected)).max() <= 1


def test_inks_of_16_bits_are_those_of_8(tmp_path):
    inks = noise(40, 50, 4)
    image = pyvips.Image.new_from_array(inks.astype(np.uint16) * 257)
    image.copy(interpretation="cmyk").tiffsave(str(tmp_path / "deep.tif"))
    saved(Image.fromarray(inks, "CMYK"), tmp_path / "flat.tif")
    assert opened(tmp_path / "deep.tif").dtype == np.uint16
    assert np.abs(levels(tmp_path / "deep.tif") - levels(tmp_path / "flat.tif")).max() <= 1


def test_lab_is_read_on_both_ways(tmp_path, both):
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    image = ImageCms.profileToProfile(Image.fromarray(smooth()), srgb, lab, outputMode="LAB")
    path = saved(image, tmp_path / "lab.tif")
    for found in both(path):
        assert np.abs(found - smooth()).mean() < 2
    assert opened(path).metadata.notes == ()  # its own profile, which says so


def test_lab_of_16_bits_and_of_floats_is_by_daylight_of_profiles(tmp_path):
    image = pyvips.Image.new_from_array(smooth()).copy(interpretation="srgb")
    lab = image.icc_import(input_profile="srgb", intent="relative")
    lab.tiffsave(str(tmp_path / "float.tif"))
    lab.colourspace("labs").tiffsave(str(tmp_path / "deep.tif"))
    for name in ("float.tif", "deep.tif"):
        assert np.abs(levels(tmp_path / name) - smooth()).max() < 1.5


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
@pytest.mark.parametrize(
    ("profile", "says"), [(b"no profile" * 30, "is damaged"), ("inks'", "is for CMYK, not for RGB")]
)
def test_a_profile_that_is_none_for_the_colours_is_left_out_in_words(
    tmp_path, monkeypatch, cmyk_profile, suffix, profile, says
):
    data = cmyk_profile if isinstance(profile, str) else profile
    path = saved(smooth(), tmp_path / f"p{suffix}", icc_profile=data)
    for large in (1 << 24, -1):
        monkeypatch.setattr(open_save, "LARGE", large)
        metadata = opened(path).metadata
        assert metadata.icc_profile is None
        [note] = metadata.notes
        assert says in note


def test_a_good_profile_is_kept_without_a_word(tmp_path, monkeypatch):
    path = saved(smooth(), tmp_path / "p.webp", icc_profile=SRGB)
    for large in (1 << 24, -1):
        monkeypatch.setattr(open_save, "LARGE", large)
        assert opened(path).metadata[0] == SRGB
        assert opened(path).metadata.notes == ()


def save_tiff(path, values, fmt, colours="b-w"):
    image = pyvips.Image.new_from_memory(
        np.ascontiguousarray(values), values.shape[1], values.shape[0],
        1 if values.ndim == 2 else values.shape[2], fmt,
    )  # fmt: skip
    image.copy(interpretation=colours).tiffsave(str(path))
    return str(path)


@pytest.mark.parametrize("installed", [True, False])
def test_whole_numbers_of_32_bits_have_all_their_levels(tmp_path, monkeypatch, installed):
    path = save_tiff(tmp_path / "long.tif", RAMP * 65537, "uint")
    if not installed:
        alone(monkeypatch)
    found = levels(path)[..., 0]
    assert np.abs(found - RAMP / 257).max() < 0.01
    assert len(np.unique(found)) == 65536


@pytest.mark.parametrize("installed", [True, False])
def test_whole_numbers_of_32_bits_that_16_hold_are_taken_for_those(
    tmp_path, monkeypatch, installed
):
    path = save_tiff(tmp_path / "short.tif", RAMP, "uint")
    if not installed:
        alone(monkeypatch)
    assert np.abs(levels(path)[..., 1] - RAMP / 257).max() < 0.01


def test_colours_of_32_bits_are_read(tmp_path):
    values = smooth().astype(np.uint32) * (2**32 // 255)
    path = save_tiff(tmp_path / "colours.tif", values, "uint", "srgb")
    assert np.abs(levels(path) - smooth()).max() < 0.01


def tiff(path, values, sample_format):
    """A TIFF of one strip, since no library here writes half floats."""
    height, width, channels = values.shape
    tags = {
        256: (3, width), 257: (3, height), 258: (3, values.itemsize * 8), 259: (3, 1),
        262: (3, 2 if channels == 3 else 1), 273: (4, 8), 277: (3, channels), 278: (3, height),
        279: (4, values.nbytes), 339: (3, sample_format),
    }  # fmt: skip
    data, extra = bytearray(values.astype(values.dtype.newbyteorder("<")).tobytes()), {}
    if channels > 1:
        for tag in (258, 339):
            extra[tag] = 8 + len(data)
            data += np.uint16([tags[tag][1]] * channels).tobytes() + b"\0\0"
    out = b"II*\0" + (8 + len(data)).to_bytes(4, "little") + bytes(data)
    out += len(tags).to_bytes(2, "little")
    for tag, (kind, value) in tags.items():
        count = channels if tag in extra else 1
        value = extra.get(tag, value)
        out += b"".join(
            number.to_bytes(size, "little")
            for number, size in ((tag, 2), (kind, 2), (count, 4), (value, 4))
        )
    path.write_bytes(out + bytes(4))
    return str(path)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_floats_of_any_size_are_read_whatever_the_picture_is(tmp_path, both, dtype, channels):
    values = (smooth()[..., :channels] / 255).astype(dtype)
    for found in both(tiff(tmp_path / "float.tif", values, 3)):
        assert np.abs(found - values.astype(float) * 255).max() < 0.01


def test_floats_that_no_library_reads_are_refused_in_words(tmp_path, monkeypatch):
    path = tiff(tmp_path / "double.tif", smooth() / 255.0, 3)
    with pytest.raises(DreamError, match=r"double\.tif .*64 bits.* 32"):
        levels(path)
    alone(monkeypatch)
    with pytest.raises(DreamError, match=r"double\.tif .*64 bits.*dreamlib\[vips\]"):
        levels(path)


def test_signed_bytes_are_refused_and_not_taken_for_others(tmp_path):
    with pytest.raises(DreamError, match=r"signed\.tif has numbers of the type char"):
        levels(tiff(tmp_path / "signed.tif", np.int8(smooth()[..., :1] // 2), 2))


@pytest.mark.parametrize("installed", [True, False])
def test_grey_of_16_bits_whose_zero_is_white_is_turned(tmp_path, monkeypatch, installed):
    values = smooth(dtype=np.uint16)[..., :1]
    path = tiff(tmp_path / "negative.tif", values, 1)
    data = bytearray((tmp_path / "negative.tif").read_bytes())
    place = data.rindex(b"\x06\x01\x03\x00\x01\x00\x00\x00") + 8  # the tag 262
    data[place] = 0
    (tmp_path / "negative.tif").write_bytes(data)
    if not installed:
        alone(monkeypatch)
    assert np.abs(levels(path)[..., 0] - (255 - values[..., 0] / 257)).max() < 0.01


def test_a_channel_that_is_not_said_to_be_alpha_is_none(tmp_path, both):
    image = Image.fromarray(noise(20, 30, 4))
    path = saved(image, tmp_path / "extra.tif")
    data = bytearray((tmp_path / "extra.tif").read_bytes())
    place = data.index(b"\x52\x01\x03\x00\x01\x00\x00\x00") + 8  # the tag 338
    assert data[place] == 2
    data[place] = 0
    (tmp_path / "extra.tif").write_bytes(data)
    small, large = both(path)
    assert np.array_equal(small, large)
    assert np.array_equal(small, np.asarray(image)[..., :3])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_tags_are_read_in_either_byte_order(tmp_path, order, big):
    wide = "Q" if big else "I"
    mark = {"<": b"II", ">": b"MM"}[order]
    head = struct.pack(order + ("HHHQ" if big else "HI"), *([43, 8, 0, 16] if big else [42, 8]))
    entry = struct.pack(order + "HH" + wide, 258, 3, 1) + struct.pack(order + "H", 16)
    entry += bytes(6 if big else 2)
    path = tmp_path / "t.tif"
    path.write_bytes(mark + head + struct.pack(order + ("Q" if big else "H"), 1) + entry + bytes(8))
    assert tiff_tags(path) == {258: (16,)}


@pytest.mark.parametrize("data", [b"", b"II", b"II*\0\xff\xff\xff\xff", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_tiff_has_no_tags(tmp_path, data):
    (tmp_path / "none").write_bytes(data)
    assert tiff_tags(tmp_path / "none") == {}

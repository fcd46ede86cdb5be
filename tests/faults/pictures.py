"""Hostile pictures: cut off, with bits turned over, larger than they can be, or no files."""

import io
import os
import random
import struct
import zlib

import numpy as np
from PIL import Image

from tests.faults.trial import OUTPUT, Case
from tests.nets import picture

#: Format -> how Pillow saves it: (mode, options).
SAVED = {
    "png": ("RGB", {}),
    "jpg": ("RGB", {}),
    "webp": ("RGB", {}),
    "tif": ("RGB", {}),
    "bmp": ("RGB", {}),
    "gif": ("P", {}),
    "ppm": ("RGB", {}),
    "tga": ("RGB", {}),
    "jp2": ("RGB", {}),
    "avif": ("RGB", {}),
    "ico": ("RGB", {}),
    "pcx": ("RGB", {}),
    "sgi": ("RGB", {}),
    "lzw.tif": ("RGB", {"compression": "tiff_lzw"}),
    "rgba.png": ("RGBA", {}),
    "grey16.png": ("I;16", {}),
    "float.tif": ("F", {}),
    "cmyk.jpg": ("CMYK", {}),
    "progressive.jpg": ("RGB", {"progressive": True}),
}


def cases(dream, count, seed=0):
    """Make the cases.

    Parameters
    ----------
    dream : list of str
        Flags of a small dream.
    count : int
        Damaged copies of each format.
    seed : int
    """
    chance = random.Random(seed)
    for name in SAVED:
        whole = saved(name)
        for number in range(count):
            damaged = damage(whole, chance, number)
            yield file_case(f"{number}.{name}", damaged, dream)
    for name, content in {**absurd(), **odd()}.items():
        yield file_case(name, content, dream)
    for name, make in no_files().items():
        yield Case(f"picture {name}", [name, OUTPUT, *dream], make)
        for flag in ("--mask", "--guide"):
            made = both(make, lambda: write("sky.png", saved("png")))
            yield Case(f"picture {flag} {name}", ["sky.png", OUTPUT, flag, name, *dream], made)


def file_case(name, content, dream):
    """A case of one picture."""
    return Case(f"picture {name}", [name, OUTPUT, *dream], lambda: write(name, content))


def both(*makers):
    """One after the other."""
    return lambda: [make() for make in makers]


def write(name, content):
    """Write a file of bytes."""
    with open(name, "wb") as file:
        file.write(content)


def saved(name, size=(40, 48)):
    """A small picture as a file's bytes."""
    mode, options = SAVED[name]
    pixels = picture(*size)
    if mode == "F":
        image = Image.fromarray(np.float32(pixels[..., 0]) / 255)
    elif mode == "I;16":
        image = Image.fromarray(np.uint16(pixels[..., 0]) * 257)
    else:
        image = Image.fromarray(pixels).convert(mode)
    out = io.BytesIO()
    image.save(out, Image.registered_extensions()["." + name.split(".")[-1]], **options)
    return out.getvalue()


def damage(content, chance, number):
    """Cut off a third of the copies, turn bits over in a third, in the header in the others."""
    if number % 3 == 0:
        return content[: chance.randrange(1, len(content))]
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 3, 20))):
        reach = min(len(damaged), 64) if number % 3 == 1 else len(damaged)
        damaged[chance.randrange(reach)] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def png(width, height, data=b"\0" * 64, bits=8, colours=2, chunks=()):
    """A PNG of a header and some data."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    body = [chunk(*one) for one in chunks] + [chunk(b"IDAT", zlib.compress(data))]
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(body) + chunk(b"IEND", b"")


def jpeg(width, height):
    """A JPEG of this size by its header, and of a few hundred bytes."""
    content = bytearray(saved("jpg"))
    start = content.index(b"\xff\xc0")
    content[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def tiff(width, height, bits=8):
    """A TIFF of this size by its header, with one strip of a few bytes."""
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, bits),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 200),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, 64),
    ]
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return (b"II*\0" + struct.pack("<I", 8) + directory).ljust(200, b"\0") + bytes(range(64))


def absurd():
    """Pictures that claim to be larger than they are."""
    bmp = bytearray(saved("bmp"))
    bmp[18:26] = struct.pack("<ii", 2**31 - 1, 2**31 - 1)
    gif = bytearray(saved("gif"))
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    return {
        "claims.png": png(2**31 - 1, 2**31 - 1),
        "claims2.png": png(60000, 60000),
        "claims3.png": png(30000, 200),
        "zero.png": png(0, 10),
        "claims16.png": png(40000, 40000, bits=16),
        "claims.jpg": jpeg(65500, 65500),
        "claims2.jpg": jpeg(65535, 65535),
        "claims3.jpg": jpeg(20000, 20000),
        "zero.jpg": jpeg(0, 0),
        "claims.tif": tiff(2**31, 2**31),
        "claims2.tif": tiff(60000, 60000),
        "claims3.tif": tiff(5000, 5000),
        "zero.tif": tiff(0, 5),
        "bits.tif": tiff(8, 8, 77),
        "claims.bmp": bytes(bmp),
        "claims.gif": bytes(gif),
        "claims.ppm": b"P6 90000 90000 255\n" + bytes(99),
        "digits.ppm": b"P6 " + b"9" * 5000 + b" 3 255\n" + bytes(99),
        "float.pfm": b"Pf\n90000 90000\n-1.0\n" + bytes(99),
    }


def odd():
    """Pictures of formats that a dream has no use for, or with values that are none."""
    values = np.float32(picture(40, 48)[..., 0]) / 255
    values[3, 5] = np.nan
    bright = np.float32(picture(40, 48)) / 255
    bright[7, 9] = 400
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n%%EndComments\nshowpage\n"
    bomb = zlib.compress(b"octaves = 3\n" * 20_000_000)
    return {
        **{f"cut-animation.{kind}": animation(kind)[:-60] for kind in ("gif", "webp", "png")},
        "no-animation.gif": animation("gif").replace(b"\x2c", b"\x3c"),
        "nan.tif": _float_tiff(values),
        "inf.tif": _float_tiff(np.where(values > 0.5, np.inf, values)),
        "bright.hdr": radiance(bright),
        "cut.hdr": radiance(bright)[:100],
        "claims.hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 90000 +X 90000\n" + bytes(99),
        "page.eps": eps,
        "page.png": eps,
        "page.pdf": b"%PDF-1.4\n" + bytes(99),
        "empty.png": b"",
        "text.png": b"hello",
        "text.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "bomb.png": png(8, 8, bytes(200), chunks=[(b"iTXt", b"dreamlib\0\1\0\0\0" + bomb)]),
        "data.npy": b"\x93NUMPY\1\0",
        "movie.mpg": b"\0\0\1\xb3" + bytes(99),
    }


def animation(kind):
    """Three frames of an animation."""
    out = io.BytesIO()
    frames = [Image.fromarray(picture(40, 48, seed)) for seed in range(3)]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=50)
    return out.getvalue()


def _float_tiff(values):
    out = io.BytesIO()
    Image.fromarray(np.float32(values)).save(out, "TIFF")
    return out.getvalue()


def radiance(values):
    """A Radiance HDR of (H, W, 3) floats, without run lengths."""
    height, width = values.shape[:2]
    mantissa, exponent = np.frexp(values.max(axis=2))
    scale = np.where(
        values.max(axis=2) > 0, mantissa * 256 / np.maximum(values.max(axis=2), 1e-9), 0
    )
    levels = np.clip(values * scale[..., None], 0, 255)
    rgbe = np.concatenate([levels, exponent[..., None] + 128], axis=2).astype(np.uint8)
    head = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {height} +X {width}\n"
    return head.encode() + rgbe.tobytes()


def no_files():
    """Names of pictures that are no regular files, and what makes them."""

    def loop():
        os.symlink("loop.png", "loop.png")

    return {
        "fifo.png": lambda: os.mkfifo("fifo.png"),
        "folder.png": lambda: os.mkdir("folder.png"),
        "loop.png": loop,
        "missing.png": lambda: None,
        "/dev/zero": lambda: None,
        "/dev/null": lambda: None,
        "/dev/tty": lambda: None,
        "a" * 300 + ".png": lambda: None,
        "nul\0.png": lambda: None,
        "\udcff.png": lambda: None,
        "d/" * 3000 + "x.png": lambda: None,
        "noise:0x0": lambda: None,
        "noise:" + "9" * 5000 + "x2": lambda: None,
        "noise:99999999x99999999": lambda: None,
        "noise:٣x٤": lambda: None,
        "noise:1x1": lambda: None,
        "-": lambda: None,
        "": lambda: None,
        "http://x/y.png": lambda: None,
    }

"""What the tests of picture files share: pixels, a profile, a full disk."""

import resource
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TEXT = 'model = "größe"\noctaves = 3\n'
ORIENTATION, MAKER, ARTIST = 0x0112, 0x010F, 0x013B
SUFFIXES = [".png", ".jpg", ".webp", ".tif"]


def noise(height=37, width=53, bands=3, dtype=np.uint8, seed=0):
    top = np.iinfo(dtype).max
    shape = (height, width, bands)
    return np.random.RandomState(seed).randint(0, top + 1, shape).astype(dtype)


def smooth(height=64, width=96, dtype=np.uint8):
    """Colours that JPEG hardly changes."""
    rows, columns = np.mgrid[:height, :width]
    rows, columns = rows * 120 // height, columns * 120 // width
    pixels = np.dstack([rows * 2, columns * 2, rows + columns])
    return (pixels * (257 if dtype == np.uint16 else 1)).astype(dtype)


def see_through(height=64, width=96, dtype=np.uint8):
    """An alpha that hides nothing."""
    alpha = np.maximum(smooth(height, width)[..., 2], 1).astype(dtype)
    return alpha * dtype(257 if dtype == np.uint16 else 1)


def saved(pixels, path, **options):
    """Save by Pillow itself what is an image, or an array."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return str(path)


def exif_of(**tags):
    """EXIF of tags by the names above."""
    exif = Image.Exif()
    for name, value in tags.items():
        exif[globals()[name.upper()]] = value
    return exif.tobytes()


def read_exif(data):
    exif = Image.Exif()
    exif.load(data)
    return exif


@contextmanager
def files_of_at_most(size):
    """Let every write beyond this many bytes of a file fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

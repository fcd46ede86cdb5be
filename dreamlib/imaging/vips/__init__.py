"""Pictures of hundreds of megapixels, through libvips: in by strips, out from arrays or raw files.

What belongs to the picture goes around the dream as `dreamlib.imaging.images` has it; here also 16
bits go in and out, and memory does not grow with the height of the picture. Needs
``dreamlib[vips]``, but not for the import.
"""

from dreamlib.imaging.vips.library import limit_memory
from dreamlib.imaging.vips.pixels import RawFile
from dreamlib.imaging.vips.reading import LargePicture, open_picture
from dreamlib.imaging.vips.writing import FORMATS, check_size, save_picture
from dreamlib.imaging.vips.zoom import cut_out, deep_zoom

__all__ = [
    "FORMATS",
    "LargePicture",
    "RawFile",
    "check_size",
    "cut_out",
    "deep_zoom",
    "limit_memory",
    "open_picture",
    "save_picture",
]

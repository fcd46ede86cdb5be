"""One palette for all frames of a film, and a dither that stands still while the picture moves.

A palette of each frame's own makes colours jump from frame to frame. Error diffusion makes the
grain boil: one changed pixel changes the dots of everything below it. So the colours are chosen
from a sample of all frames, and a pattern fixed to the screen decides between neighbouring ones.
"""

from __future__ import annotations

import numpy as np

from dreamlib.imaging.inplace import BLOCK
from dreamlib.imaging.resample import strips
from dreamlib.imaging.window import Window
from dreamlib.tiling.quantize import thresholds

COLOURS = 256
MEDIAN_CUT = 0  # Pillow's number: the name moved between its versions

#: Of each channel's 8, by which the nearest colour is looked up.
BITS = 6

#: Of how many frames, and how many pixels of each, the palette is made.
SAMPLE_FRAMES, SAMPLE_PIXELS = 24, 1 << 13


def sample(count):
    """Choose the frames that a palette is made of: indices below `count`, first and last too."""
    return np.unique(np.rint(np.linspace(0, count - 1, min(count, SAMPLE_FRAMES)))).astype(int)


class Palette:
    """Colours shared by all frames.

    Parameters
    ----------
    pictures : iterable of (H, W, 3) ndarray of uint8
        RGB; one is held at a time.

    Attributes
    ----------
    colours : (256, 3) ndarray of uint8
    """

    def __init__(self, pictures):
        from PIL import Image
        from scipy.spatial import cKDTree

        samples = np.concatenate([_sparse(picture) for picture in pictures])
        swatch = Image.fromarray(samples.reshape(1, -1, 3))
        # Median cut, then k-means, which moves each colour to where its pixels are, until fewer
        # pixels than these change theirs.
        few = max(1, len(samples) // 200)
        chosen = swatch.quantize(COLOURS, method=MEDIAN_CUT, kmeans=few).getpalette()
        chosen = np.unique(np.uint8(chosen[: 3 * COLOURS]).reshape(-1, 3), axis=0)
        self.colours = np.zeros((COLOURS, 3), np.uint8)  # few colours make a short palette
        self.colours[: len(chosen)] = chosen
        # Pillow's own search takes a cell's lowest corner for the cell: 1.5 levels too dark.
        levels = np.arange(1 << BITS) * (1 << 8 - BITS) + ((1 << 8 - BITS) - 1) / 2
        cells = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1)
        tree = cKDTree(chosen)
        self._nearest = tree.query(cells.reshape(-1, 3))[1].astype(np.uint8)
        # As wide as the steps between colours are where the pixels lie: evenly spread errors of
        # steps that wide have this deviation. None where the palette has every colour.
        self._spread = (12 * np.mean(tree.query(samples)[0] ** 2) / 3) ** 0.5

    def indices(self, picture):
        """Return a picture in the palette's colours.

        Parameters
        ----------
        picture : (H, W, 3) ndarray of uint8
            RGB. Not changed.

        Returns
        -------
        (H, W) ndarray of uint8
            Into `colours`. The same pixel at the same place has the same index in every frame.
        """
        height, width = picture.shape[:2]
        indices = np.empty((height, width), np.uint8)
        for top, bottom in strips(height, width, BLOCK // 3, 1):
            cell = 0
            for channel in range(3):
                values = thresholds(Window(top, 0, bottom - top, width), channel, 0, 12)
                values -= np.float32(0.5)
                values *= np.float32(self._spread)
                values += picture[top:bottom, :, channel]
                values += np.float32(0.5)  # to the nearest level, when cut to whole numbers
                np.clip(values, 0, 255, out=values)
                cell = (cell << BITS) + (values.astype(np.int32) >> 8 - BITS)
            indices[top:bottom] = self._nearest[cell]
        return indices


def _sparse(picture):
    """Take every n-th pixel: averages would be colours that the picture does not have."""
    step = max(1, int((picture.shape[0] * picture.shape[1] / SAMPLE_PIXELS) ** 0.5))
    return picture[step // 2 :: step, step // 2 :: step].reshape(-1, 3)

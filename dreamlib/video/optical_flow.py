"""Detail carried along the motion of a clip, so that frames made one by one do not flicker.

Detail is the difference of a frame's result from the frame. Each frame starts with the detail of
the one before, moved along the optical flow; where the flow cannot be trusted (uncovered ground,
cuts) it starts without.
Flow: Kroeger et al., Fast optical flow using dense inverse search (2016); the check forwards and
backwards: Sundaram et al. (2010).
"""

from __future__ import annotations

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.picture import to_levels
from dreamlib.imaging.resample import strips

#: The flows forwards and backwards may disagree: squared, by this share of their squared lengths
#: and this number of squared pixels more.
DISAGREEMENT, LEAST_DISAGREEMENT = 0.01, 0.5

#: A pixel that differs from its origin by at most `SAME` grey levels is trusted wholly; by `OTHER`
#: or more, not at all.
SAME, OTHER = 12, 36

#: Detail is moved in whole numbers of 1 / FINE grey levels.
FINE = 64

#: Smallest side that flow can be found on.
LEAST_SIDE = 16


class DetailCarrier:
    """Carries dreamt detail from frame to frame.

    Detail depends on the frame before alone, as it lies in files: its undreamt and its dreamt
    picture, 8 bits each. So an interrupted film is resumed to the same frames: with a new carrier
    that is given the last whole one to `finish`.

    Carried detail has no mean: otherwise dreams that brighten pictures a little would make the
    film white. If one frame's dream adds detail d, that of a still scene settles at d / (1 - keep).

    Holds 6 bytes a pixel between frames; `begin` takes about 70 at its peak, the returned picture
    included.

    Parameters
    ----------
    keep : float
        0 to 1, else refused: the share of the detail that is carried into the next frame.
    """

    def __init__(self, keep=0.8):
        if not 0 <= keep <= 1:
            raise DreamError(f"keep is {keep:g}; expected 0 to 1")
        self.keep = keep
        self._original = self._dreamt = None

    def begin(self, picture):
        """Add the carried detail to a frame, for its dream to begin with.

        Parameters
        ----------
        picture : (H, W, 3) ndarray of uint8
            RGB. Not changed.

        Returns
        -------
        (H, W, 3) ndarray of float32
            A new array. Levels may lie outside 0 to 255.

        Raises
        ------
        DreamError
            OpenCV is not installed, or the frame before had another size.
        """
        if self._original is None or not self.keep or min(picture.shape[:2]) < LEAST_SIDE:
            return picture.astype(np.float32)
        if picture.shape != self._original.shape:
            raise DreamError(
                f"a frame of {picture.shape[1]} x {picture.shape[0]} pixels after one of "
                f"{self._original.shape[1]} x {self._original.shape[0]}: they are of one size"
            )
        now, before = luminance(picture), luminance(self._original)
        # First what needs most memory, before there are other large arrays.
        backwards, forwards = optical_flow(now, before), optical_flow(before, now)
        start = picture.astype(np.float32)
        self._add_detail(start, now, before, backwards, forwards)
        return start

    def finish(self, picture, dreamt):
        """Remember a frame for the next one.

        Parameters
        ----------
        picture : (H, W, 3) ndarray of uint8
            Undreamt. Kept, and not to be changed.
        dreamt : (H, W, 3) ndarray of uint8 or floating point
            Not changed.
        """
        self._original, self._dreamt = picture, to_levels(dreamt)

    def _add_detail(self, start, now, before, backwards, forwards):
        """Add the detail to `start` where it has moved to, less its mean."""
        cv2 = _opencv()
        detail = self._dreamt.astype(np.int16)
        detail -= self._original
        detail *= FINE
        height, width = now.shape
        total, trusted = np.zeros(3), 0.0
        for top, bottom in strips(height, width):
            where = _positions(top, bottom, width)
            where += backwards[top:bottom]
            trust = reliability(now[top:bottom], before, backwards[top:bottom], forwards, where)
            trust *= np.float32(self.keep)
            moved = cv2.remap(detail, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            moved = moved.astype(np.float32)
            moved *= (trust * np.float32(1 / FINE))[..., None]
            total += moved.sum((0, 1), dtype=np.float64)
            trusted += trust.sum(dtype=np.float64)
            start[top:bottom] += moved
            # The flow is not needed again: its place takes the trust, for the mean.
            backwards[top:bottom, :, 0] = trust
        if trusted:
            mean = np.float32(total / trusted)
            for top, bottom in strips(height, width):
                start[top:bottom] -= backwards[top:bottom, :, :1] * mean


def luminance(picture):
    """Return a picture's luminance, which the flow is found on.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of uint8
        RGB. Not changed.

    Returns
    -------
    (H, W) ndarray of uint8
    """
    cv2 = _opencv()
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def optical_flow(one, other):
    """Find where each pixel of one picture lies in another.

    Parameters
    ----------
    one, other : (H, W) ndarray of uint8

    Returns
    -------
    (H, W, 2) ndarray of float32
        In pixels to the right and downwards: ``one[y, x]`` is ``other[y + v, x + u]``.
    """
    cv2 = _opencv()
    if hasattr(cv2, "DISOpticalFlow_create"):
        method = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        return method.calc(one, other, None)
    return cv2.calcOpticalFlowFarneback(one, other, None, 0.5, 5, 15, 3, 5, 1.2, 0)


def reliability(now, before, backwards, forwards, where):
    """Rate how far a flow can be trusted, pixel by pixel.

    Parameters
    ----------
    now : (h, W) ndarray of uint8
        Rows of the luminance.
    before : (H, W) ndarray of uint8
        The whole luminance of the frame before.
    backwards : (h, W, 2) ndarray of float32
        Flow from `now` to `before`.
    forwards : (H, W, 2) ndarray of float32
        Flow from `before` to `now`.
    where : (h, W, 2) ndarray of float32
        Column and row in `before` that each pixel comes from. Not changed.

    Returns
    -------
    (h, W) ndarray of float32
        0 where a pixel was hidden, outside or something else before; 1 where it was not.
    """
    cv2 = _opencv()
    height, width = before.shape
    there = cv2.remap(forwards, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    allowed = (backwards**2).sum(-1) + (there**2).sum(-1)
    allowed *= DISAGREEMENT
    allowed += LEAST_DISAGREEMENT
    there += backwards
    trust = ((there**2).sum(-1) < allowed).astype(np.float32)
    came = cv2.remap(before, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    difference = cv2.absdiff(now, came).astype(np.float32)
    difference -= OTHER
    difference *= np.float32(1 / (SAME - OTHER))
    trust *= np.clip(difference, 0, 1, out=difference)
    column, row = where[..., 0], where[..., 1]
    trust *= (column > -1) & (column < width) & (row > -1) & (row < height)
    return trust


def _positions(top, bottom, width):
    """Return each pixel's own column and row: (bottom - top, width, 2) ndarray of float32."""
    where = np.empty((bottom - top, width, 2), np.float32)
    where[..., 0] = np.arange(width)
    where[..., 1] = np.arange(top, bottom)[:, None]
    return where


def _opencv():
    try:
        import cv2
    except ImportError as error:
        raise DreamError(
            "OpenCV, which finds the motion in a clip, is not installed; "
            "pip install opencv-python-headless"
        ) from error
    return cv2

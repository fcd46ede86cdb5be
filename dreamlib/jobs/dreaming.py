"""A dream in Python, of paths, arrays and PIL images: watched step by step, given back as these."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.alpha import filled
from dreamlib.imaging.floats import are_levels, tone_mapped
from dreamlib.imaging.picture import Picture, to_levels
from dreamlib.imaging.pillow_io import picture_of
from dreamlib.jobs import kind_of, run_source, with_preset
from dreamlib.jobs.outputs import check_free, refuse_unused
from dreamlib.jobs.prepare import prepare, prepare_levels
from dreamlib.jobs.run import dream_levels, dreaming, memory_of, run, work
from dreamlib.settings import Settings, to_toml
from dreamlib.util.progress import Progress


class Step(NamedTuple):
    """What a dream looks like after a step on every pixel. A notebook shows it as the picture."""

    array: np.ndarray  #: (H, W, 3) uint8, RGB, of the octave's size; the caller's own
    octave: int  #: counted from 1
    octaves: int
    iteration: int  #: within the octave, counted from 1
    iterations: int
    share: float  #: of the whole dream that is done, 0 to 1

    @property
    def image(self):
        """The same as a ``PIL.Image.Image``."""
        from PIL import Image

        return Image.fromarray(self.array)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)

    def __repr__(self):
        height, width = self.array.shape[:2]
        return (
            f"Step(octave {self.octave} of {self.octaves}, iteration {self.iteration} of "
            f"{self.iterations}, {width} x {height} pixels, {self.share:.0%} done)"
        )

    def _repr_png_(self):
        return self.image._repr_png_()


class Dream:
    """A dream that is asked for in Python.

    >>> import dreamlib
    >>> dream = dreamlib.Dream("sky.jpg", end="block10", iterations=20)  # doctest: +SKIP
    >>> for step in dream: display(step)                                 # doctest: +SKIP
    >>> dream.image.save("deep.png")                                     # doctest: +SKIP

    Parameters
    ----------
    source : str, Path, ndarray or PIL.Image.Image
        A file, ``noise:WIDTHxHEIGHT``; an (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey array of
        uint8, of uint16, or of floating point, whose values are 0 to 255, or light from 0 to 1
        (and above) where their mean is not above 1; or an image in any mode. Not changed.
    preset : str, optional
        Named settings to begin with: one of `dreamlib.preset_names`.
    **settings
        By the names in `dreamlib.SETTINGS`: the command's flags with underscores.

    Attributes
    ----------
    settings : Settings
        As they were given; once it has been dreamt, with all that was left open.

    Raises
    ------
    DreamError
        Of a setting that there is not, or a value that it cannot have. The rest shows when it is
        dreamt.
    """

    def __init__(self, source, preset=None, **settings):
        if preset is not None:
            settings = with_preset(preset, settings)
        self._source, self.settings = source, Settings(**settings)
        self._given, self._network = settings, None
        self._levels = self._job = None

    def replace(self, source=None, **changes):
        """Return another dream: of another picture, or with other settings.

        Parameters
        ----------
        source : as for `Dream`, optional
            The same without it.
        **changes
            Settings; None leaves one open again.

        Returns
        -------
        Dream
            It shares the network that was loaded, where that is the same.
        """
        given = {**self._given, **changes}
        given = {name: value for name, value in given.items() if value is not None}
        other = Dream(self._source if source is None else source, **given)
        other.share_network(self)
        return other

    def share_network(self, other):
        """Take the network that another dream has loaded, where this one has the same.

        Parameters
        ----------
        other : Dream
        """
        if _network_of(self._given) == _network_of(other._given):
            self._network = other._network

    def __iter__(self):
        """Dream anew, from the beginning.

        Yields
        ------
        Step
            After each step on every pixel.
        """
        job, self._levels = self._prepared(), None
        canvas, quantizer = yield from _watched(job)
        self._levels = quantizer.as_levels(canvas.array())

    def run(self, output=None):
        """Dream.

        Parameters
        ----------
        output : str or Path, optional
            A file to write, whose suffix chooses the format; with the setting `frames`, a folder.

        Returns
        -------
        dreamlib.jobs.run.Result, dreamlib.jobs.film.Result, ndarray or PIL.Image.Image
            Of what was written; by default, for a file, ``STEM_dream.png`` in the current folder.
            Without an output an array is dreamt into an array of its dtype, RGB or RGBA, and an
            image into an image.
        """
        if isinstance(self._source, (str, os.PathLike)):
            return run_source(os.fspath(self._source), output and str(output), self.settings)
        if kind_of("", self.settings.frames) == "frames":
            raise DreamError("a film is made of a file: save the picture, and name it")
        if output is not None:
            refuse_unused(self.settings, "picture", str(output))
            return run(prepare(as_picture(self._source), str(output), self.settings))
        self._dream()
        return self.image if hasattr(self._source, "convert") else self.array

    @property
    def array(self):
        """The dream as an array of the input's dtype, (H, W, 3) or, with alpha, (H, W, 4)."""
        levels, source = self._dreamt(), self._source
        dtype = source.dtype if isinstance(source, np.ndarray) else np.dtype(np.uint8)
        white = 255
        if dtype.kind == "f":
            white = 1 if _is_light(source) else 255
            pixels = (levels * np.float32(white / 255)).astype(dtype)
        else:
            white = np.iinfo(dtype).max
            pixels = to_levels(levels, dtype, white // 255)
        alpha = self._job.picture.alpha if isinstance(self._job.picture, Picture) else None
        if alpha is None:
            return pixels
        own = isinstance(source, np.ndarray)  # which may have more than 8 bits of it
        return np.dstack([pixels, source[..., 3] if own else alpha])

    @property
    def image(self):
        """The dream as a ``PIL.Image.Image``, RGB or, with alpha, RGBA."""
        from PIL import Image

        pixels = to_levels(self._dreamt())
        picture = self._job.picture
        if isinstance(picture, Picture) and picture.alpha is not None:
            pixels = np.dstack([pixels, picture.alpha])
        return Image.fromarray(pixels)

    def save(self, path):
        """Write the dream with the settings that made it.

        Parameters
        ----------
        path : str or Path
            Its suffix chooses the format.
        """
        from dreamlib.imaging.formats import check_output
        from dreamlib.imaging.open_save import save_picture

        levels, settings = self._dreamt(), self.settings
        named = isinstance(self._source, (str, os.PathLike))
        check_output(str(path), str(self._source) if named else None)
        check_free(path, settings.overwrite)
        text, like = to_toml(self._job.recorded), self._job.picture
        save_picture(str(path), levels, text, like, settings.quality, settings.tiff, self._job.deep)

    # -- the dream itself -------------------------------------------------------------------------

    def _dreamt(self):
        """Return the dream in grey levels, (H, W, 3) float32; it is dreamt once."""
        if self._levels is None:
            self._dream()
        return self._levels

    def _dream(self):
        job = self._prepared()
        with Progress(*work(job.dream), job.settings.quiet) as progress:
            self._levels = dream_levels(job, progress)

    def _prepared(self):
        source = self._source
        source = str(source) if isinstance(source, (str, os.PathLike)) else as_picture(source)
        self._job = prepare_levels(source, Settings(**self._given), self._network)
        self._network, self.settings = self._job.network, self._job.settings
        return self._job


def _network_of(given):
    """Return what a network is chosen by: where that is the same, it is loaded once."""
    names = ("model", "engine", "gpu", "precision", "judges")
    return [given.get(name) for name in names], bool(given.get("target"))


def _watched(job):
    """Dream a job; yield a `Step` after each pass, return the canvas and its quantizer."""
    sizes, passes = work(job.dream)
    total = sum(height * width * count for (height, width), count in zip(sizes, passes))
    done, steps = 0, dreaming(job, memory_of(job), _Unheard())
    while True:
        try:
            canvas, quantizer, octave, made = next(steps)
        except StopIteration as end:
            return end.value
        done += sizes[octave][0] * sizes[octave][1]
        shown = to_levels(quantizer.as_levels(canvas.array()))
        del canvas  # the next octave's may need its room
        yield Step(shown, octave + 1, len(sizes), made, passes[octave], done / total)


class _Unheard:
    """What a dream tells its progress to, where somebody watches it otherwise."""

    left = False

    def __call__(self, step):
        return False

    def skip(self, pixels):
        """Do nothing."""

    def say(self, line):
        """Do nothing."""


def as_picture(source):
    """Make a picture of an array or an image.

    Parameters
    ----------
    source : ndarray or PIL.Image.Image
        As for `Dream`.

    Returns
    -------
    dreamlib.imaging.picture.Picture

    Raises
    ------
    DreamError
        It is neither, or of another shape or dtype.
    """
    if hasattr(source, "convert") and hasattr(source, "mode"):
        if source.mode[:1] not in "IF":
            return picture_of(source)
        source = _deep(source)
    if not isinstance(source, np.ndarray):
        raise DreamError(
            f"a picture of type {type(source).__name__} was given; expected a path, an array or a "
            "PIL image"
        )
    shape, kind = source.shape, source.dtype
    right = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    if not right or 0 in shape:
        raise DreamError(
            f"an array of shape {shape} was given; expected (height, width, 3), RGB, with 4 for "
            "RGBA, or (height, width)"
        )
    if kind.kind == "f":
        if not np.isfinite(source).all():
            raise DreamError("the array has values that are no numbers; expected 0 to 255, or to 1")
        source = _levels(source)
    elif kind not in (np.uint8, np.uint16):
        raise DreamError(f"an array of {kind} was given; expected uint8, uint16 or floating point")
    if source.ndim == 2 or shape[2] == 1:
        source = np.repeat(source.reshape(*shape[:2], 1), 3, axis=2)
    alpha = None
    if source.shape[2] == 4:
        alpha = to_levels(source[..., 3].astype(np.float32), scale=255 / _white(source.dtype))
    pixels = np.ascontiguousarray(source[..., :3])
    if alpha is not None:
        filled(pixels, alpha)  # in a copy, since the source has a fourth channel
    return Picture(pixels, alpha)


def _white(dtype):
    return 65535 if dtype == np.uint16 else 255


def _is_light(values):
    """Tell whether floats are light, in which 1 is white, and not grey levels: as in a TIFF."""
    colours = values[..., :3] if values.ndim == 3 and values.shape[2] == 4 else values
    peak, mean = colours.max(initial=0), colours.mean(dtype=np.float64)
    if mean > 1 and not are_levels(peak, mean):
        raise DreamError(
            f"the array has values up to {peak:g}, {mean:g} on average; expected 0 to 255, or 0 "
            "to 1"
        )
    return not are_levels(peak, mean)


def _levels(values):
    """Return floats as grey levels, (...) float32, and their alpha likewise."""
    levels = np.array(values, np.float32)
    if _is_light(values):
        colours = levels[..., :3] if levels.ndim == 3 else levels
        colours[:] = tone_mapped(colours.copy(), colours.max(), 0)
        if levels.ndim == 3:
            levels[..., 3:] *= 255
    return np.clip(levels, 0, 255, out=levels)


def _deep(image):
    """Return the values of a grey image of more than 8 bits, or of floating point."""
    from PIL import ImageOps

    values = np.asarray(ImageOps.exif_transpose(image))
    if values.dtype.kind == "f" or values.dtype == np.uint16:
        return values
    if values.min() < 0 or values.max() > 65535:
        raise DreamError(
            f"the image, of mode {image.mode}, has values from {values.min()} to {values.max()}; "
            "expected 0 to 65535"
        )
    return values.astype(np.uint16)

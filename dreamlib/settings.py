"""Every setting of a dream, once: its name, type, default, range, help, and where it applies.

Flags of the command, keys of a configuration file and keyword arguments in Python are all made from
`SETTINGS`; a new setting is a new entry there.
"""

from __future__ import annotations

import re

from dreamlib.errors import DreamError, nearest
from dreamlib.util.setting import Setting

#: The kinds of job, and the words for them in a refusal.
JOBS = {
    "picture": "one picture (--frames N makes a film, --growth FILE one of a dream)",
    "frames": "a film of frames",
    "clip": "a clip",
    "sheet": "a contact sheet, which makes small dreams",
    "details": "a sheet of details, which dreams nothing",
    "assembly": "--assemble, which takes frames as they are",
}
DREAMS = ("picture", "frames", "clip")
EVERY_DREAM = (*DREAMS, "sheet")
PICTURE, FRAMES, FILM = ("picture",), ("frames",), ("frames", "assembly")
MOVING = ("frames", "clip", "assembly")
EVERYTHING = tuple(JOBS)

# Forms of texts: a regular expression for all of it, and the same in words.
_SIGMA = r"[0-9]{1,9}(\.[0-9]{1,9})?"
SIGMAS = (f"{_SIGMA}(,{_SIGMA}){{0,15}}", "sigmas in pixels, up to 16, as 1 or 0.5,1,2")
REGION = (r"[0-9]{1,9},[0-9]{1,9}(,[1-9][0-9]{0,8}){2}",
          "X,Y,WIDTH,HEIGHT in pixels, as 4000,2500,800,600")  # fmt: skip
MEMORY = (r"[0-9]{1,15}(\.[0-9]+)?\s*[KMGT]?(i?B)?", "a size in bytes, as 600M or 2G")
DEVICES = (
    r"(cpu|cuda:[0-9]{1,4})(,(cpu|cuda:[0-9]{1,4}))*",
    "devices, as cuda:0,cuda:1 or cpu,cpu",
)

SETTINGS = (
    Setting("model", str, None, "a name (see --list-models) or a folder with prototxt and "
            "caffemodel; by default bvlc_googlenet if it is fetched, else the embedded model",
            group="network", metavar="NAME", applies_to=EVERY_DREAM),
    Setting("engine", str, "auto", "what runs the network: real Caffe, or PyTorch; auto takes "
            "Caffe where it is installed", group="network", choices=("auto", "caffe", "torch"),
            applies_to=EVERY_DREAM),
    Setting("gpu", int, None, "run on this CUDA device (0 if no number is given)", group="network",
            low=0, high=1023, metavar="ID", bare=0, applies_to=EVERY_DREAM),
    Setting("precision", str, "float32", "what the network computes in; the picture stays float32",
            group="network", choices=("float32", "bfloat16", "float16"), applies_to=EVERY_DREAM),
    Setting("end", str, None, "layer to dream (see --list-layers); by default the model's own "
            "choice", metavar="LAYER", applies_to=DREAMS),
    Setting("layers", str, None, "dream a mixture instead: LAYER:WEIGHT, LAYER[12,47-50], "
            "mean(LAYER), LAYER[12]@COLUMNxROW, LAYER@MASK.png, style(LAYER, PICTURE), with commas "
            "between; a negative weight suppresses",
            metavar="MIXTURE", applies_to=DREAMS),
    Setting("target", str, None, "dream classes: names, numbers (see --find-class), WordNet's "
            "(n01443537) or random, as goldfish, ostrich:0.5, 963; a weight below 0 avoids one",
            metavar="CLASSES", applies_to=DREAMS),
    Setting("script", str, None, "draw by an octave script: a preset (direct, draw, fine, ...) or "
            "a .toml or .json file; --target alone takes direct for noise, direct-photograph for "
            "pictures",
            metavar="SCRIPT", applies_to=DREAMS),
    Setting("class_strength", float, 1.0, "how strongly classes are drawn: factor of every step",
            low=0, high=100, metavar="FACTOR", needs=("target",), applies_to=DREAMS),
    Setting("judges", str, None, "models that look on while a class is drawn, so that all of them "
            "see it: NAME,NAME", metavar="NAMES", needs=("target",), applies_to=DREAMS),
    Setting("guide", str, None, "make the picture more like these: IMAGE or IMAGE:WEIGHT, with "
            "commas between them", metavar="IMAGES", applies_to=DREAMS),
    Setting("guide_layer", str, None, "layers in which the picture is to be like the guide, as "
            "LAYER or LAYER:0.5, LAYER@MASK.png; by default --end", metavar="LAYERS",
            needs=("guide",), applies_to=DREAMS),
    Setting("guide_mode", str, "match", "match: each place like the guide's best matching place, "
            "as in the notebook; channels: as strong in each channel; style: the same textures, "
            "wherever they are", choices=("match", "channels", "style"), needs=("guide",),
            applies_to=DREAMS),
    Setting("iterations", int, 10, "steps of gradient ascent on each octave", low=1, high=100_000,
            metavar="N", applies_to=EVERY_DREAM, script_has_own=True),
    Setting("octaves", int, 4, "sizes of the picture to dream on, the smallest first", low=1,
            high=100, metavar="N", applies_to=EVERY_DREAM, script_has_own=True),
    Setting("octave_scale", float, 1.4, "ratio between neighbouring octaves", high=100, above=1,
            metavar="RATIO", applies_to=EVERY_DREAM, script_has_own=True),
    Setting("step_size", float, 1.5, "mean change of a pixel in a step, in grey levels", high=1000,
            above=0, metavar="LEVELS", applies_to=EVERY_DREAM, script_has_own=True),
    Setting("normalise", bool, True, "measure a step by the gradient's mean, as the notebook does; "
            "else it is step_size grey levels for each unit of the gradient", applies_to=DREAMS),
    Setting("optimiser", str, "ascent", "ascent: the notebook's step; adam: each pixel measured by "
            "its own gradients so far, with momentum", choices=("ascent", "adam"),
            applies_to=DREAMS),
    Setting("jitter", int, 32, "roll the picture by up to this number of pixels in each step",
            low=0, high=100_000, metavar="PIXELS", applies_to=EVERY_DREAM, script_has_own=True),
    Setting("clip", bool, True, "keep colours within 0..255 during the dream",
            applies_to=EVERY_DREAM),
    Setting("smooth", str, None, "blur gradients by the mean of these Gaussians, for softer "
            "strokes", group="looks", metavar="SIGMAS", form=SIGMAS, applies_to=EVERY_DREAM),
    Setting("laplacian", int, 0, "make this number of bands of the gradient equally strong",
            group="looks", low=0, high=8, metavar="LEVELS", applies_to=EVERY_DREAM),
    Setting("tv", float, 0.0, "regularize by total variation: less difference between neighbours",
            group="looks", low=0, high=100, metavar="WEIGHT", old_name="calm", applies_to=DREAMS),
    Setting("decay", float, 0.0, "regularize by L2 decay towards the mean colour", group="looks",
            low=0, high=100, metavar="WEIGHT", old_name="pull_mean", applies_to=DREAMS),
    Setting("anchor", float, 0.0, "regularize towards the undreamt picture", group="looks", low=0,
            high=100, metavar="WEIGHT", old_name="pull_base", applies_to=DREAMS),
    Setting("keep_forms", float, 0.0, "keep what the picture shows from afar: all that is left "
            "of it after a blur of this sigma, in pixels", group="looks", low=0, high=1000,
            metavar="SIGMA", applies_to=DREAMS),
    Setting("keep_colour", bool, False, "keep the input's colours, take the dream's light and "
            "shade", group="looks", applies_to=DREAMS),
    Setting("strength", float, 1.0, "share of the dream in the output", group="looks", low=0,
            high=1, metavar="SHARE", applies_to=DREAMS),
    Setting("mask", str, None, "a picture of how much of the dream is wanted where: white is all",
            group="looks", metavar="IMAGE", applies_to=DREAMS),
    Setting("mask_on", str, "result", "what the mask scales: the output's share, every step, or "
            "both", group="looks", choices=("result", "steps", "both"), needs=("mask",),
            applies_to=DREAMS),
    Setting("seed", int, None, "of the random numbers; one is drawn, and recorded, if none is "
            "given", low=0, high=2**32 - 1, metavar="N", applies_to=(*EVERY_DREAM, "details")),
    Setting("schedule", str, None, "tiles that are dreamt together: the whole picture, as in the "
            "notebook, or parts of it; by default whole where the memory allows, else shift; "
            "windows for scripts", group="large pictures",
            choices=("whole", "shift", "random", "spiral", "windows"), applies_to=DREAMS),
    Setting("tile_size", int, None, "largest side of a tile; by default what model, device and "
            "memory allow", group="large pictures", low=16, high=65536, metavar="PIXELS",
            applies_to=DREAMS),
    Setting("overlap", int, None, "context around a tile of shift, width of the feathered band of "
            "spiral and random [32, 64]", group="large pictures", low=0, high=32768,
            metavar="PIXELS", applies_to=DREAMS),
    Setting("wrap", str, None, "borders that close in themselves, as a 360-degree panorama's do "
            "horizontally; by default both for whole, none for tiles", group="large pictures",
            choices=("none", "horizontal", "both"), applies_to=DREAMS),
    Setting("tile_steps", int, 1, "steps on a tile before the next one is visited",
            group="large pictures", low=1, high=1000, metavar="N", applies_to=DREAMS),
    Setting("storage", str, "auto", "how the picture is held while it is dreamt; auto takes "
            "float32 for whole, else the depth of the input", group="large pictures",
            choices=("auto", "float32", "uint8", "uint16"), applies_to=DREAMS),
    Setting("region", str, None, "dream this part alone, at the scale of the whole picture",
            group="large pictures", metavar="X,Y,W,H", form=REGION, applies_to=PICTURE),
    Setting("memory", str, None, "RAM that the program may take, as 2G or 600M; by default most "
            "of what is free", group="large pictures", metavar="SIZE", form=MEMORY, recorded=False,
            applies_to=(*DREAMS, "details")),
    Setting("work_dir", str, None, "folder for canvases and journal; with it a dream survives the "
            "machine; by default OUTPUT.work where RAM does not do", group="large pictures",
            metavar="FOLDER", recorded=False, applies_to=PICTURE),
    Setting("resume", bool, False, "resume the unfinished dream in the work folder",
            group="large pictures", recorded=False, applies_to=DREAMS),
    Setting("devices", str, None, "share the picture among these, as cuda:0,cuda:1 or cpu,cpu",
            group="large pictures", metavar="LIST", form=DEVICES, recorded=False,
            applies_to=PICTURE),
    Setting("cluster", str, None, "share it among the workers of a Dask cluster: its scheduler's "
            "address, as tcp://HEAD:8786, or scheduler file (docs/clusters.md)",
            group="large pictures", metavar="SCHEDULER", recorded=False, applies_to=PICTURE),
    Setting("preview", float, None, "write a small OUTPUT.preview.jpg of the dream so far at this "
            "interval", group="large pictures", high=100_000, above=0, metavar="MINUTES",
            recorded=False, applies_to=PICTURE),
    Setting("frames", int, None, "dream this number of frames, each from the one before; OUTPUT "
            "is a folder", group="films", low=1, high=1_000_000, metavar="N", recorded=False,
            applies_to=FRAMES),
    Setting("distort", str, None, "what happens to a frame before it is dreamt again, as "
            "zoom:0.05, rotate:2, shift:3,0, roll:rows:sine(12,80), hue:3 (docs/distortions.md) "
            "[zoom:0.05]", group="films", metavar="CHAIN", applies_to=FRAMES),
    Setting("allow_code", bool, False, "let a file of settings, or a folder that is resumed, name "
            "a Python function in distort; a --distort that you write may",
            group="films", recorded=False, from_files=False, applies_to=EVERYTHING),
    Setting("distort_every", int, None, "distort only every Nth frame", group="films", low=1,
            high=1_000_000, metavar="N", applies_to=FRAMES),
    Setting("vary", str, None, "settings that change over the frames: NAME:FROM..TO, "
            "NAME:LOW~HIGH/PERIOD, NAME:A|B, target:A..B, with commas between", group="films",
            metavar="VARIATIONS", applies_to=("frames", "clip")),
    Setting("keep_tone", bool, True, "lead brightness and contrast back to the first frame's",
            group="films", applies_to=FRAMES),
    Setting("from_", int, None, "number of the first frame of a clip, a folder or a film that is "
            "taken, from 0", group="films", low=0, high=10_000_000, metavar="N", recorded=False,
            applies_to=("clip", "assembly")),
    Setting("to", int, None, "number of the last frame that is taken", group="films", low=0,
            high=10_000_000, metavar="N", recorded=False, applies_to=("clip", "assembly")),
    Setting("every", int, None, "take every Nth frame; a clip stays as long as it is",
            group="films", low=1, high=1_000_000, metavar="N", recorded=False,
            applies_to=("clip", "assembly")),
    Setting("carry", float, 0.8, "share of a clip's detail that is carried along the motion into "
            "the next frame", group="films", low=0, high=1, metavar="SHARE", applies_to=("clip",)),
    Setting("frame_format", str, "png", "of the frames; png loses nothing", group="films",
            choices=("png", "jpg", "webp"), recorded=False, applies_to=FRAMES),
    Setting("growth", str, None, "a film of one dream as it grows, a frame for every step: .gif, "
            ".webp, .mp4 or .webm", group="films", metavar="FILE", recorded=False,
            applies_to=PICTURE),
    Setting("gif", str, None, "make a film of the frames", group="films", metavar="FILE",
            recorded=False, applies_to=FILM),
    Setting("webp", str, None, "the same, for browsers", group="films", metavar="FILE",
            recorded=False, applies_to=FILM),
    Setting("mp4", str, None, "the same, as .mp4 or .webm", group="films", metavar="FILE",
            recorded=False, applies_to=FILM),
    Setting("fps", float, None, "frames in a second; by default 12.5, or the clip's", group="films",
            high=240, above=0, metavar="N", recorded=False, applies_to=MOVING),
    Setting("loop", int, 0, "times that a GIF or WebP plays; 0 is for ever, unless an animation "
            "says otherwise", group="films", low=0, high=65535, metavar="N", recorded=False,
            applies_to=MOVING),
    Setting("reverse", bool, False, "the film runs from the last frame to the first", group="films",
            recorded=False, applies_to=FILM),
    Setting("boomerang", bool, False, "the film runs there and back", group="films", recorded=False,
            applies_to=FILM),
    Setting("quality", int, 95, "of a JPEG or WebP output", group="output", low=1, high=100,
            metavar="N", recorded=False, applies_to=EVERYTHING),
    Setting("tiff", str, "strip", "layout of a TIFF output: for any program, in tiles, or with "
            "smaller copies for viewers", group="output", choices=("strip", "tile", "pyramid"),
            recorded=False, applies_to=("picture", "sheet", "details")),
    Setting("overwrite", bool, False, "let an output take the place of a file that no dream has "
            "written", group="output", recorded=False, applies_to=EVERYTHING),
    Setting("classify", bool, False, "tell the network's classes of the picture, before and after",
            group="output", recorded=False, applies_to=PICTURE),
    Setting("quiet", bool, False, "print errors alone", group="output", recorded=False,
            applies_to=EVERYTHING),
)  # fmt: skip

BY_NAME = {setting.name: setting for setting in SETTINGS}

#: Names that are understood besides: old ones, and what flags and files call `from_`, which is no
#: word of Python's.
NEW_NAMES = {setting.old_name: setting.name for setting in SETTINGS if setting.old_name}
NEW_NAMES.update({one.name.rstrip("_"): one.name for one in SETTINGS if one.name[-1] == "_"})


class Settings:
    """A value for every setting, checked: an unknown name or a wrong value is refused.

    Parameters
    ----------
    **values
        By name of the setting, or its old name; what is not given has its default.

    Attributes
    ----------
    given : frozenset of str
        Names of the values that were given, be it the default.
    """

    def __init__(self, **values):
        values = {NEW_NAMES.get(name, name): value for name, value in values.items()}
        for name in values:
            if name not in BY_NAME:
                raise DreamError(f"there is no setting {name!r}{meant(name)}")
        for setting in SETTINGS:
            setattr(self, setting.name, setting.check(values.get(setting.name, setting.default)))
        self.given = frozenset(values)

    def __repr__(self):
        given = changed(self, BY_NAME)
        return f"Settings({', '.join(f'{name}={getattr(self, name)!r}' for name in given)})"

    def __eq__(self, other):
        return isinstance(other, Settings) and self._values() == other._values()

    __hash__ = None

    def _values(self):
        return {setting.name: getattr(self, setting.name) for setting in SETTINGS}

    def replace(self, **changes):
        """Return settings with some values changed and checked; `given` stays.

        Parameters
        ----------
        **changes
            By name of the setting.
        """
        changed = object.__new__(Settings)
        changed.__dict__.update(self.__dict__)
        for name, value in changes.items():
            setattr(changed, name, BY_NAME[name].check(value))
        return changed

    def applicable(self, job):
        """Return settings in which those that mean nothing to a job have their defaults.

        Parameters
        ----------
        job : str
            One of `JOBS`.

        Returns
        -------
        Settings
        """
        useless = [setting for setting in SETTINGS if job not in setting.applies_to]
        return self.replace(**{setting.name: setting.default for setting in useless})

    def recorded(self):
        """Return the values that make the dream, as a dict without those that are left open."""
        values = {one.name: getattr(self, one.name) for one in SETTINGS if one.recorded}
        return {name: value for name, value in values.items() if value is not None}


def changed(settings, names):
    """List those of some settings whose value is not the default.

    Parameters
    ----------
    settings : Settings
    names : iterable of str

    Returns
    -------
    list of str
    """
    return [name for name in names if getattr(settings, name) != BY_NAME[name].default]


def refuse_inapplicable(settings, job):
    """Refuse settings that mean nothing to a job, wherever they come from, by their flags.

    Parameters
    ----------
    settings : Settings
        Values that are the defaults are let pass: a record of a dream has them all.
    job : str
        One of `JOBS`.
    """
    useless = [setting.name for setting in SETTINGS if job not in setting.applies_to]
    if settings.script and job != "assembly":
        own = [setting.name for setting in SETTINGS if setting.script_has_own]
        refuse(changed(settings, own), "--script, which has its own octaves and steps")
    refuse(changed(settings, useless), JOBS[job])
    if not settings.resume:  # else the record has what is not repeated
        needy = [one.name for one in SETTINGS if one.needs]
        varied = [name for name in needy if _is_varied(settings, name)]
        for name in changed(settings, needy) + varied:
            _refuse_alone(settings, BY_NAME[name])


def refuse_contradictions(settings):
    """Refuse settings to which others leave no meaning.

    Parameters
    ----------
    settings : Settings
    """
    if settings.schedule == "whole":
        refuse(changed(settings, ("tile_size", "overlap")), "--schedule whole: it has no tiles")
    if settings.schedule == "windows" and settings.overlap:
        refuse(["overlap"], "--schedule windows, which are changed as a whole")
    if settings.region and settings.wrap not in (None, "none"):
        refuse(["wrap"], "--region: a part has no borders that close")
    if settings.reverse and settings.boomerang:
        raise DreamError("--boomerang runs both ways already; leave --reverse out")
    if settings.devices and settings.gpu is not None:
        refuse(["gpu"], "--devices, which says where steps are taken")


def _is_varied(settings, name):
    return re.search(rf"(^|,)\s*{name}:", (settings.vary or "").replace("-", "_")) is not None


def _refuse_alone(settings, setting):
    """Refuse a setting that means nothing without others, where none of them is given."""
    varied = any(_is_varied(settings, name) for name in setting.needs)
    if varied or any(getattr(settings, name) is not None for name in setting.needs):
        return
    needed = " or ".join(BY_NAME[name].flag for name in setting.needs)
    raise DreamError(f"{setting.flag} means nothing without {needed}; add that, or leave it out")


def refuse(names, what):
    """Refuse settings by their flags, if there are any.

    Parameters
    ----------
    names : list of str
    what : str
        To which they mean nothing.
    """
    flags = ", ".join(BY_NAME[name].changing_flag for name in names)
    if len(names) == 1:
        raise DreamError(f"{flags} means nothing to {what}; leave it out")
    if names:
        raise DreamError(f"{flags} mean nothing to {what}; leave them out")


def meant(name):
    """Return the setting that an unknown name probably means: a clause to end an error, or "".

    Parameters
    ----------
    name : str

    Returns
    -------
    str
    """
    plain = name.lstrip("-").replace("-", "_")
    if plain in BY_NAME:
        return f"; write {plain}"
    if plain.startswith("no_") and plain[3:] in BY_NAME and BY_NAME[plain[3:]].kind is bool:
        return f"; write {plain[3:]} = false"
    return nearest(name, BY_NAME)


def to_toml(settings):
    """Write settings as TOML, each with its help.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    str

    Raises
    ------
    DreamError
        A file's name is no text.
    """
    import tomlkit

    document = tomlkit.document()
    document.add(
        tomlkit.comment("settings of a dream; repeat it with: dream.py INPUT --config FILE")
    )
    for name, value in settings.recorded().items():
        BY_NAME[name].check(value, BY_NAME[name].flag)  # a folder's name may be no text
        document.add(tomlkit.comment(BY_NAME[name].help))
        document.add(name, value)
    return tomlkit.dumps(document).rstrip() + "\n"

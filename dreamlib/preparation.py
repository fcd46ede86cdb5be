"""Everything that is settled, and refused, before a dream begins."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import budget, drawing, engines, files, images
from .aims import network_of, settle_aims
from .canvas import WRAPS, Window
from .checkpoint import WorkFolder, fingerprint
from .crew import parse_devices
from .deepdraw import grey_noise
from .dreamer import region_frames, whole_frames
from .errors import DreamError
from .layers import check_layer
from .looks import Looks
from .mixtures import parse_weights
from .models import find_model, lasting_name
from .octave_scripts import lasting_script, load_script
from .octaves import octave_sizes
from .settings import Settings
from .shapes import check_octaves_fit, misfit


class Job(NamedTuple):
    """A dream that can begin."""

    output: str
    picture: object  #: see `dreamlib.files`
    deep: bool  #: whether it has 16 bits
    model: object
    net: object
    settings: Settings  #: nothing is left open
    recorded: Settings  #: what repeats the dream
    sizes: list  #: (height, width) of the octaves, smallest first
    frames: list  #: the `Window` of each octave that is dreamt
    region: Window | None  #: what is written, in the last octave; None for all
    wrap: str  #: of the canvases
    closed: tuple  #: axes on which octaves are resampled as rings
    demand: budget.Demand
    script: list | None  #: of `dreamlib.octave_scripts.Octave`; None where octaves are dreamt
    keep: bool  #: whether the script is to leave the picture under it sharp
    folder: WorkFolder | None  #: None where canvases are held in RAM


def prepare(source, output, settings, planning=False):
    """Read the picture and load the network; choose what was left open; refuse what cannot be.

    Parameters
    ----------
    source : str or Path
        A picture file, or ``noise:WIDTHxHEIGHT``.
    output : str, Path or None
        Its suffix chooses the format; None makes ``STEM_dream.png`` in the current folder.
    settings : Settings
    planning : bool
        Make no work folder.

    Returns
    -------
    Job

    Raises
    ------
    DreamError
        Picture, model, layer, output, memory or work folder cannot do.
    """
    source, output = str(source), str(output or default_output(source))
    images.check_output(output, source)
    if settings.classify and Path(output).suffix.lower() == files.DEEP_ZOOM:
        raise DreamError(
            f"--classify reads the output back, which it cannot do with {output}; write .tif or "
            ".png, or leave --classify out"
        )
    work_dir = Path(settings.work_dir or f"{output}.work")
    with contextlib.ExitStack() as on_error:
        folder = None
        if settings.resume:
            folder = WorkFolder(work_dir, resume=True)
            on_error.callback(folder.close)
            settings = _resumed(settings, folder)
        model = find_model(settings.model)
        seed = settings.seed
        if seed is None:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        picture = files.open_picture(source, seed, output, settings.tiff)
        size, noise = (picture.height, picture.width), isinstance(picture, images.Noise)
        settings = drawing.settle_script(settings, noise, size[0] * size[1])
        script = None
        if settings.script:
            script = load_script(settings.script)
        if noise and (script or settings.target):
            picture = grey_noise(*size, seed)
        published, model = model, network_of(model, settings, settings.engine)
        net = engines.load_net(model, settings.engine, settings.gpu, settings.precision)
        settings = settings.replace(
            model=lasting_name(settings.model or model.name),
            engine=engines.engine_name(net),
            end=settings.end or model.end or None,
            seed=seed,
            mask=settings.mask and str(Path(settings.mask).absolute()),
            script=settings.script and lasting_script(settings.script),
        )
        settings = settle_aims(net, model, settings)
        check_layer(net, settings.end, model)
        definition = engines.read_definition(model, settings.engine)
        base = budget.resident_memory()
        if script:
            sizes, demand = drawing.prepare_drawing(
                net, model, definition, settings, script, size, not noise, base
            )
            files.check_output(output, size[1], size[0])
            Looks.of(settings)
            on_error.pop_all()
            return Job(
                output, picture, picture.dtype == np.uint16, model, net,
                settings.replace(storage="float32", wrap="none"), settings, sizes,
                whole_frames([size]), None, "none", WRAPS["none"], demand, script, not noise, None,
            )  # fmt: skip
        if settings.target and "octaves" not in settings.given:
            settings = settings.replace(octaves=_octaves_that_fit(definition, settings, size))
        sizes = octave_sizes(*size, settings.octaves, settings.octave_scale)
        region = _region(settings.region, size)
        frames = region_frames(sizes, region) if region else whole_frames(sizes)
        written = region or frames[-1]
        files.check_output(output, written.width, written.height)
        check_octaves_fit(definition, settings.end, [frame[2:] for frame in frames])
        workers = parse_devices(settings.devices) if settings.devices else []
        gpus = [gpu for gpu in [*workers, settings.gpu] if gpu is not None]
        free = [engines.free_gpu_memory(settings.engine, gpu) for gpu in gpus]
        chosen, demand = budget.choose(
            settings, frames[-1][2:], definition, picture.dtype, base, bool(gpus), len(workers),
            min(free, default=None),
        )  # fmt: skip
        check_tiles(definition, chosen, sizes)
        Looks.of(chosen)  # refuses a mask that cannot be read
        # What follows from the rest is not recorded: another picture may need it otherwise.
        recorded = chosen.replace(wrap=settings.wrap, storage=settings.storage)
        wrap = chosen.wrap if not region else "none"
        # The notebook rolls a picture around but does not resample it so: only what was asked for.
        closed = WRAPS[wrap if settings.wrap else "none"]
        if not planning and (settings.work_dir or settings.resume or not demand.in_ram):
            record = {
                "settings": recorded.recorded(),
                "files": _fingerprints(source, published, recorded),
            }
            folder = folder or WorkFolder(work_dir)
            on_error.callback(folder.close)
            if folder.record:
                _refuse_changes(folder, record)
            folder.begin(record, chosen.storage, wrap, demand.canvases)
        on_error.pop_all()
    return Job(
        output, picture, picture.dtype == np.uint16, model, net, chosen.replace(wrap=wrap),
        recorded, sizes, frames, region, wrap, closed, demand, None, False, folder,
    )  # fmt: skip


def _octaves_that_fit(definition, settings, size):
    """Return how many octaves reach the classes, up to as many as are usual."""
    fitting = 1
    for count in range(2, settings.octaves + 1):
        smallest = octave_sizes(*size, count, settings.octave_scale)[0]
        if misfit(definition, settings.end, *smallest):
            break
        fitting = count
    return fitting


def default_output(source):
    """Name the output of an input: its stem and ``_dream.png``, in the current folder."""
    stem = "noise" if str(source).startswith("noise:") else Path(source).stem
    return f"{stem}_dream.png"


def _resumed(settings, folder):
    """Return the settings that the unfinished dream was begun with; refuse others."""
    before = folder.record["settings"]
    now = settings.recorded()
    changed = [
        f"{name} was {before.get(name, 'left open')}, is now {now[name]}"
        for name in sorted(settings.given & set(now))
        if now[name] != before.get(name) and not (name == "model" and _same_model(now, before))
    ]
    if changed:
        raise DreamError(
            f"the dream in {folder.path} was begun with other settings: {'; '.join(changed)}. "
            "Resume it with its own (none need be given), or begin anew in another --work-dir"
        )
    return settings.replace(**before)


def _same_model(now, before):
    return lasting_name(now["model"]) == before["model"]


def _fingerprints(source, model, settings):
    """Return what identifies the files that a dream is made of, by what they are to it."""
    noise = source.startswith("noise:")
    prints = {
        "the input picture": source if noise else fingerprint(source),
        "the model's weights": fingerprint(model.weights),
    }
    guides = parse_weights(settings.guide, "--guide") if settings.guide else []
    pictures = [(f"the guide picture {path}", path) for path, _ in guides]
    if settings.mask:
        pictures.append((f"the mask {settings.mask}", settings.mask))
    for name, path in pictures:
        files.open_picture(path, 0, "", "strip")  # refuses what is none, before there is a folder
        prints[name] = fingerprint(path)
    return prints


def _refuse_changes(folder, record):
    """Refuse to go on with a dream whose pictures or network are not what they were."""
    for name, now in record["files"].items():
        before = folder.record["files"][name]
        if now != before:
            raise DreamError(
                f"{name} of the dream in {folder.path} has changed since it was begun: it was "
                f"{_described(before)}, is now {_described(now)}. Bring it back, or begin anew in "
                "another --work-dir"
            )


def _described(print_of_file):
    if isinstance(print_of_file, str):
        return print_of_file
    return f"{print_of_file['bytes']} bytes with SHA-256 {print_of_file['sha256'][:12]}..."


def _region(text, size):
    """Return the region as a `Window`, or None; refuse one that is not within the picture."""
    if text is None:
        return None
    left, top, width, height = (int(part) for part in text.split(","))
    if left + width > size[1] or top + height > size[0]:
        raise DreamError(
            f"region {text} is not within the picture of {size[1]} x {size[0]} pixels; expected "
            "X + WIDTH and Y + HEIGHT no larger than that"
        )
    return Window(top, left, height, width)


def check_tiles(definition, settings, sizes):
    """Refuse tiles in which the network does not reach the layer."""
    if settings.schedule == "whole":
        return
    least = settings.tile_size
    if settings.schedule == "shift":
        least = least // 2
    try:
        check_octaves_fit(
            definition, settings.end, [(min(least, side[0]), min(least, side[1])) for side in sizes]
        )
    except DreamError as error:
        raise DreamError(
            f"tiles of {settings.tile_size} pixels are too small for layer {settings.end!r}: a "
            f"piece of {least} x {least} may be seen alone. Take a larger --tile-size, or a layer "
            "nearer to the input"
        ) from error

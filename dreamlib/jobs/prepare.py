"""Everything that is settled, and refused, before a dream begins."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dreamlib.ascent.objective_builder import check_guides, network_of, settle_aims
from dreamlib.ascent.octave_script import absolute_script, load_script
from dreamlib.ascent.regularizers import Looks
from dreamlib.errors import DreamError
from dreamlib.imaging.formats import DEEP_ZOOM, check_output, check_size, format_of
from dreamlib.imaging.open_save import open_picture
from dreamlib.imaging.picture import Noise
from dreamlib.imaging.resample import octave_sizes
from dreamlib.imaging.window import WRAPS, Window
from dreamlib.jobs import drawing
from dreamlib.jobs.resume import fingerprints, refuse_changes, resumed
from dreamlib.models import engines
from dreamlib.models.input_size import check_octaves_fit, misfit
from dreamlib.models.layers import check_layer
from dreamlib.models.zoo import absolute_name, find_model
from dreamlib.settings import Settings
from dreamlib.tiling import memory_plan as budget
from dreamlib.tiling.deepdraw import grey_noise
from dreamlib.tiling.octave_loop import region_frames, whole_frames
from dreamlib.tiling.work_folder import WorkFolder
from dreamlib.tiling.workers import parse_devices
from dreamlib.util.memory import resident_memory
from dreamlib.util.profiling import phase


class Network(NamedTuple):
    """A network that is loaded."""

    published: object  #: the `dreamlib.models.zoo.Model` that was named
    model: object  #: what runs of it: see `dreamlib.ascent.objective_builder.network_of`
    net: object
    definition: object  #: its prototxt


class Job(NamedTuple):
    """A dream that can begin."""

    output: str
    picture: object  #: see `dreamlib.imaging.picture`
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
    script: list | None  #: of `dreamlib.ascent.octave_script.Octave`; None where octaves are dreamt
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
    check_output(output, source)
    if settings.classify and format_of(output) is DEEP_ZOOM:
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
            settings = resumed(settings, folder)
        settings = with_seed(settings)
        phase("reading")
        picture = open_picture(source, settings.seed, output, settings.tiff)
        settings, picture = choose_way(settings, picture)
        network = open_network(settings)
        job = settle(network, picture, settings, output)
        in_folder = settings.work_dir or settings.resume or not job.demand.in_ram
        if in_folder and not planning:
            record = {
                "settings": job.recorded.recorded(),
                "files": fingerprints(source, network.published, job.recorded),
            }
            folder = folder or WorkFolder(work_dir)
            on_error.callback(folder.close)
            if folder.record:
                refuse_changes(folder, record)
            folder.begin(record, job.settings.storage, job.wrap, job.demand.canvases)
            job = job._replace(folder=folder)
        on_error.pop_all()
    return job


def with_seed(settings):
    """Return the settings with a seed, drawn where none is given."""
    if settings.seed is not None:
        return settings
    return settings.replace(seed=int(np.random.SeedSequence().generate_state(1)[0]))


def choose_way(settings, picture):
    """Choose between octaves and a script, and the noise that the latter begins with.

    Returns
    -------
    Settings, picture
    """
    noise = isinstance(picture, Noise)
    settings = drawing.settle_script(settings, noise, picture.height * picture.width)
    if noise and (settings.script or settings.target):
        picture = grey_noise(picture.height, picture.width, settings.seed)
    return settings, picture


def open_network(settings):
    """Load the network of settings that `choose_way` has seen."""
    phase("network")
    published = find_model(settings.model)
    model = network_of(published, settings, settings.engine)
    net = engines.load_net(model, settings.engine, settings.gpu, settings.precision)
    return Network(published, model, net, engines.read_definition(model, settings.engine))


def settle(network, picture, settings, output):
    """Choose what settings leave open for one picture, and refuse what cannot be.

    Parameters
    ----------
    network : Network
    picture : picture
        See `dreamlib.imaging.picture`.
    settings : Settings
        As `choose_way` returns them.
    output : str

    Returns
    -------
    Job
        Without a folder.

    Raises
    ------
    DreamError
    """
    model, net = network.model, network.net
    settings = settings.replace(
        model=absolute_name(settings.model or model.name),
        engine=engines.engine_name(net),
        end=settings.end or model.end or None,
        mask=settings.mask and str(Path(settings.mask).absolute()),
        script=settings.script and absolute_script(settings.script),
    )
    settings = settle_aims(net, model, settings)
    check_layer(net, settings.end, model)
    if settings.guide:
        check_guides(network.definition, settings)
    Looks.of(settings)  # refuses a mask that cannot be read
    job = (_drawn if settings.script else _by_octaves)(network, picture, settings, output)
    written = job.region or job.frames[-1]
    check_size(output, written.width, written.height)
    return job


def _drawn(network, picture, settings, output):
    """Settle a drawing by an octave script."""
    size, keep = (picture.height, picture.width), not isinstance(picture, Noise)
    script = load_script(settings.script)
    sizes, demand = drawing.prepare_drawing(
        network.net, network.model, network.definition, settings, script, size, keep,
        resident_memory(),
    )  # fmt: skip
    return Job(
        output, picture, picture.dtype == np.uint16, network.model, network.net,
        settings.replace(storage="float32", wrap="none"), settings, sizes,
        whole_frames([size]),
        None, "none", WRAPS["none"], demand, script, keep, None,
    )  # fmt: skip


def _by_octaves(network, picture, settings, output):
    """Settle a dream by octaves."""
    size, definition = (picture.height, picture.width), network.definition
    if settings.target and "octaves" not in settings.given:
        settings = settings.replace(octaves=_octaves_that_fit(definition, settings, size))
    sizes = octave_sizes(*size, settings.octaves, settings.octave_scale)
    region = _region(settings.region, size)
    frames = region_frames(sizes, region) if region else whole_frames(sizes)
    try:
        check_octaves_fit(definition, settings.end, [frame[2:] for frame in frames])
    except DreamError as error:
        flags = drawing.octave_flags(settings)
        if not settings.target or not flags:
            raise
        raise DreamError(
            f"{error}; or leave out {', '.join(flags)}: then the class is drawn by an octave "
            "script, which takes pictures of any size"
        ) from error
    workers = parse_devices(settings.devices) if settings.devices else []
    gpus = [gpu for gpu in [*workers, settings.gpu] if gpu is not None]
    free = [engines.free_gpu_memory(settings.engine, gpu) for gpu in gpus]
    chosen, demand = budget.choose(
        settings, frames[-1][2:], definition, picture.dtype, resident_memory(), bool(gpus),
        len(workers), min(free, default=None),
    )  # fmt: skip
    check_tiles(definition, chosen, sizes)
    # What follows from the rest is not recorded: another picture may need it otherwise.
    recorded = chosen.replace(wrap=settings.wrap, storage=settings.storage)
    wrap = chosen.wrap if not region else "none"
    # The notebook rolls a picture around but does not resample it so: only what was asked for.
    closed = WRAPS[wrap if settings.wrap else "none"]
    return Job(
        output, picture, picture.dtype == np.uint16, network.model, network.net,
        chosen.replace(wrap=wrap), recorded, sizes, frames, region, wrap, closed, demand, None,
        False, None,
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

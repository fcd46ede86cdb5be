"""From settings to a job: read, load, resolve, and refuse what cannot be, before a dream begins."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from dreamlib.errors import DreamError
from dreamlib.imaging.formats import DEEP_ZOOM, check_output, format_of
from dreamlib.imaging.open_save import open_picture
from dreamlib.imaging.picture import Noise, Picture
from dreamlib.jobs.demands import refuse_unreadable
from dreamlib.jobs.growth import check_growth
from dreamlib.jobs.outputs import check_free, check_still
from dreamlib.jobs.resolve import DEVIATION, GREY, OF_OCTAVES, Network, make_job
from dreamlib.models import engines
from dreamlib.models.zoo import find_model
from dreamlib.settings import (
    BY_NAME,
    changed,
    meant,
    refuse,
    refuse_contradictions,
    refuse_inapplicable,
    to_toml,
)
from dreamlib.tiling.preview import preview_of
from dreamlib.tiling.schedule import OVERLAPPING
from dreamlib.util.input_file import check_path
from dreamlib.util.progress import phase

#: The presets that a class is drawn by where no script is named: from noise, into a photograph.
FROM_NOISE, INTO_PICTURE = "direct", "direct-photograph"

#: Settings of what is written, or kept in files; and the name of what is not written.
OF_FILES = ("work_dir", "resume", "preview", "devices", "cluster", "classify", "region")
UNWRITTEN = "dream.png"


def prepare(source, output, settings, planning=False, network=None):
    """Read the picture and load the network; choose what was left open; refuse what cannot be.

    Parameters
    ----------
    source : str, Path or Picture
        A picture file, or ``noise:WIDTHxHEIGHT``; or a picture, whose pixels are not changed.
    output : str, Path or None
        Its suffix chooses the format; None makes ``STEM_dream.png`` of a file, in the current
        folder.
    settings : Settings
    planning : bool
        Make no work folder.
    network : Network, optional
        Of another job with the same settings, which is taken instead of being loaded anew.

    Returns
    -------
    Job

    Raises
    ------
    DreamError
        Picture, model, layer, output, memory or work folder cannot do.
    """
    refuse_inapplicable(settings, "picture")
    held = isinstance(source, Picture)
    source = source if held else str(source)
    output = str(output or default_output(source, "dream.png"))
    check_still(output)
    check_output(output, None if held else source)
    check_free(output, settings.overwrite)
    if settings.preview:
        check_free(preview_of(output), settings.overwrite)
    check_growth(settings, source, output)
    if settings.classify and format_of(output) is DEEP_ZOOM:
        raise DreamError(
            f"--classify reads the output back, which it cannot do with {output}; write .tif or "
            ".png, or leave --classify out"
        )
    work_dir = Path(settings.work_dir or f"{output}.work")
    check_path(work_dir)
    with contextlib.ExitStack() as on_error:
        folder = None
        if settings.resume:
            from dreamlib.jobs.resume import resumed
            from dreamlib.tiling.work_folder import WorkFolder

            folder = WorkFolder(work_dir, resume=True)
            on_error.callback(folder.close)
            settings = resumed(settings, folder)
        settings = with_models_own(with_seed(settings))
        picture = source if held else _opened(source, output, settings)
        settings, picture = choose_script(settings, picture)
        network = network or open_network(settings)
        job = make_job(network, picture, settings, output)
        to_toml(job.recorded)  # refuses what no output could hold
        in_folder = settings.work_dir or settings.resume or not job.demand.in_ram
        if in_folder and not planning:
            from dreamlib.jobs.resume import fingerprints, refuse_changes
            from dreamlib.tiling.work_folder import WorkFolder

            record = {
                "settings": job.recorded.recorded(),
                "files": fingerprints(source, network.published, job.recorded),
            }
            folder = folder or WorkFolder(work_dir)
            on_error.callback(folder.close)
            if folder.record:
                refuse_changes(folder, record)
            folder.begin(record, job.dream.storage, job.dream.wrap, job.demand.canvases)
            job = job._replace(folder=folder)
        elif not planning:
            refuse_unfinished(work_dir)
        on_error.pop_all()
    return job


def prepare_levels(source, settings, network=None):
    """Do what `prepare` does for a dream in RAM that no file is written of.

    Parameters
    ----------
    source, settings, network
        As for `prepare`.

    Returns
    -------
    Job

    Raises
    ------
    DreamError
    """
    refuse_inapplicable(settings, "picture")
    refuse_contradictions(settings)
    refuse(changed(settings, OF_FILES), "a dream that goes to no file; name an output")
    check_growth(settings, source)
    settings = with_models_own(with_seed(settings))
    held = isinstance(source, Picture)
    picture = source if held else _opened(source, UNWRITTEN, settings)
    settings, picture = choose_script(settings, picture)
    job = make_job(network or open_network(settings), picture, settings, UNWRITTEN)
    if not job.demand.in_ram:
        raise DreamError(
            f"the dream takes {(job.demand.ram + job.demand.canvases) / (1 << 30):.2f}G of memory, "
            "more than there is; name an output, or allow more memory"
        )
    return job


def _opened(source, output, settings):
    """Open a picture file, or make noise."""
    phase("reading")
    refuse_unreadable(settings, source, output)
    return open_picture(source, settings.seed, output, settings.tiff)


def refuse_unfinished(work_dir):
    """Refuse to dream anew beside an unfinished dream of the same output, which nobody asked for.

    Parameters
    ----------
    work_dir : Path
    """
    from dreamlib.jobs.resume import unfinished
    from dreamlib.tiling.work_folder import UNFINISHED

    if unfinished(work_dir):
        raise DreamError(UNFINISHED.format(work_dir))


def default_output(source, ending):
    """Name the output of an input: its stem, ``_`` and `ending`, in the current folder.

    Parameters
    ----------
    source, ending : str

    Returns
    -------
    str
    """
    stem = "noise" if source.startswith("noise:") else Path(source).stem
    return f"{stem}_{ending}"


def with_seed(settings):
    """Return the settings with a seed, drawn where none is given.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Settings
    """
    if settings.seed is not None:
        return settings
    return settings.replace(seed=int(np.random.SeedSequence().generate_state(1)[0]))


def with_models_own(settings, what="dream"):
    """Return the settings with those of the model's own dream, where nothing else is asked for.

    Parameters
    ----------
    settings : Settings
        What is given stays. Where a layer, a class or a guide is, so does all: the notebook's
        dream of that.
    what : {'dream', 'film'}
        A picture, or frames.

    Returns
    -------
    Settings
    """
    if settings.resume or settings.given & {"end", "layers", "target", "script", "guide"}:
        return settings
    model = find_model(settings.model)
    own = {
        name: value for name, value in getattr(model, what).items() if name not in settings.given
    }
    unknown = [name for name in own if name not in BY_NAME]
    if unknown:
        raise DreamError(
            f"model {model.name}: its {what} has {unknown[0]!r}, which is no setting"
            f"{meant(unknown[0])}"
        )
    return settings.replace(**own)


def choose_script(settings, picture):
    """Choose the script where a class is dreamt and nothing asks for the notebook's octaves.

    Parameters
    ----------
    settings : Settings
    picture : picture
        See `dreamlib.imaging.picture`.

    Returns
    -------
    Settings
        Its `script` is None for dreams by octaves.
    picture
        Grey noise in the place of noise, where classes are dreamt.
    """
    noise = isinstance(picture, Noise)
    if settings.script is None:
        feathered = settings.schedule in OVERLAPPING
        if settings.target and not feathered and not settings.given & set(OF_OCTAVES):
            settings = settings.replace(script=FROM_NOISE if noise else INTO_PICTURE)
    if noise and (settings.script or settings.target):
        picture = Noise(picture.height, picture.width, settings.seed, GREY, DEVIATION)
    return settings, picture


def open_network(settings):
    """Load the network of settings that `choose_script` has seen.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Network
    """
    phase("network")
    published = model = find_model(settings.model)
    if settings.target:
        from dreamlib.models.fully_convolutional import fully_convolutional

        model = fully_convolutional(published, settings.engine)
    net = engines.load_net(model, settings.engine, settings.gpu, settings.precision)
    definition = engines.read_definition(model, settings.engine)
    judges = []
    if settings.judges:
        from dreamlib.jobs.objective import parse_judges

        judges = [find_model(name) for name in parse_judges(settings.judges)]
    nets = [
        engines.load_net(judge, settings.engine, settings.gpu, settings.precision)
        for judge in judges
    ]
    return Network(published, model, net, definition, tuple(judges), tuple(nets))

"""What the command can do, each a function of its arguments and settings that returns an exit code.

Imports happen inside, where they are needed: --help and --list-models are to answer at once.
"""

from __future__ import annotations

import sys

from dreamlib.config import save_config
from dreamlib.errors import DreamError

EXIT_REFUSED, EXIT_INTERRUPTED = 2, 130


def write_config(path, settings):
    """Write the settings to a file.

    Parameters
    ----------
    path : str
    settings : Settings
    """
    if settings.model:
        from dreamlib.models.zoo import absolute_name

        settings = settings.replace(model=absolute_name(settings.model))
    save_config(path, settings)
    if not settings.quiet:
        print(f"settings written to {path}")


def _say(settings, text):
    if not settings.quiet:
        print(text, file=sys.stderr)


def _refuse_options(arguments, what):
    """Refuse options of one dream that are no settings."""
    flags = ["--plan"] * arguments.plan + ["--save-config"] * bool(arguments.save_config)
    if flags:
        raise DreamError(f"{', '.join(flags)} mean nothing to {what}; leave them out")


def dream(arguments, settings):
    """Dream one picture.

    Parameters
    ----------
    arguments : argparse.Namespace
    settings : Settings

    Returns
    -------
    int
    """
    from dreamlib.imaging.formats import loses_alpha
    from dreamlib.imaging.open_save import open_picture
    from dreamlib.jobs.objective import describe
    from dreamlib.jobs.prepare import prepare
    from dreamlib.jobs.run import run

    job = prepare(arguments.input, arguments.output, settings, planning=arguments.plan)
    if settings.model is None:
        _say(settings, _announce_model())
    if arguments.save_config:
        write_config(arguments.save_config, settings)
    if arguments.plan:
        from dreamlib.jobs.plan import plan

        print(plan(job))
        return 0
    if loses_alpha(job.picture, job.output):
        _say(
            settings, f"{job.output} cannot hold the input's transparency; .png, .webp or .tif can"
        )
    if job.folder:
        _say(settings, f"work folder: {job.folder.path}, up to {job.demand.canvases / 1e9:.2f} GB")
    try:
        if settings.classify:
            from dreamlib.models.classify import seen_as

            print(f"before: {seen_as(job.network.net, job.network.model, job.picture)}")
        result = run(job)
    except KeyboardInterrupt:
        if not job.folder:
            raise
        print(f"dream.py: stopped at once; {_way_on(job.folder.path)}", file=sys.stderr)
        return EXIT_INTERRUPTED
    if not result.embedded:
        _say(settings, f"{result.path.suffix} pictures cannot carry their settings: use "
             "--save-config to keep them")  # fmt: skip
    used = result.settings
    if not settings.quiet:
        print(
            f"{result.path}: {describe(job.network.published, used)}, {used.engine} on "
            f"{result.device}, seed {used.seed}, {result.seconds:.1f} s"
        )
    if settings.classify:
        written = open_picture(str(result.path), None, "")
        print(f"after: {seen_as(job.network.net, job.network.model, written)}")
    if result.interrupted:
        _say(settings, "stopped early; the picture so far is saved")
        if result.work_folder:
            _say(settings, _way_on(result.work_folder))
        return EXIT_INTERRUPTED
    return 0


def film(parser, arguments, settings):
    """Dream a film: frames from a picture, or a clip.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    arguments : argparse.Namespace
    settings : Settings

    Returns
    -------
    int
    """
    from dreamlib.jobs.kinds import is_clip, kind_of, runner_of

    if settings.frames is not None and is_clip(arguments.input):
        raise DreamError(
            f"{arguments.input} is a clip, which has its own frames; leave --frames out, or name a "
            "picture"
        )
    if arguments.plan:
        parser.error("--plan tells of one picture; leave --frames out, or name a picture")
    if settings.model is None:
        _say(settings, _announce_model())
    if arguments.save_config:
        write_config(arguments.save_config, settings)
    run = runner_of(kind_of(arguments.input, settings.frames))
    result = run(arguments.input, arguments.output, settings)
    used = result.settings
    if not settings.quiet:
        made = "".join(f"; {film}" for film in result.films)
        print(f"{result.path}: {result.frames} frames of {used.model}, {used.engine} on "
              f"{result.device}, seed {used.seed}, {result.seconds:.1f} s{made}")  # fmt: skip
    if result.interrupted:
        _say(settings, "stopped early; the whole frames are kept: resume with --resume")
        return EXIT_INTERRUPTED
    return 0


def assemble(parser, arguments, settings):
    """Make films of the frames in a folder.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    arguments : argparse.Namespace
    settings : Settings

    Returns
    -------
    int
    """
    if arguments.input:
        parser.error("--assemble takes a folder and no INPUT; leave one of them out")
    from dreamlib.jobs.film_output import assemble_folder

    _refuse_options(arguments, "--assemble")
    films = assemble_folder(arguments.assemble, settings)
    if films is None:
        _say(settings, "stopped; nothing was written")
        return EXIT_INTERRUPTED
    if not settings.quiet:
        print("\n".join(films))
    return 0


def _way_on(work_folder):
    """Say how an interrupted dream is resumed."""
    return f"resume it with --resume --work-dir {work_folder}"


def contact_sheet(parser, arguments, settings):
    """Make a sheet of small dreams.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    arguments : argparse.Namespace
    settings : Settings

    Returns
    -------
    int
    """
    _refuse_options(arguments, "--contact-sheet")
    if not arguments.input:
        parser.error("an INPUT picture is missing; write it before --contact-sheet")
    from dreamlib.jobs.contact_sheet import run

    if settings.model is None:
        _say(settings, _announce_model())
    sheet = run(arguments.input, arguments.output, arguments.contact_sheet, settings)
    used = sheet.settings
    if not settings.quiet:
        print(f"{sheet.path}: {sheet.cells} small dreams of {used.model}, {used.engine}, "
              f"seed {used.seed}, {sheet.seconds:.1f} s")  # fmt: skip
    if sheet.interrupted:
        _say(settings, "stopped early; the finished cells are saved")
        return EXIT_INTERRUPTED
    return 0


def _announce_model():
    """Say which model runs when the user named none, and how to get the notebook's."""
    from dreamlib.models.zoo import EMBEDDED, GOOGLENET, find_model

    model = find_model(None)
    if model.name != EMBEDDED:
        return f"model: {model.name}"
    fetch = find_model(GOOGLENET).fetch
    return f"model: {EMBEDDED}; for the notebook's {GOOGLENET} run: {fetch}"


def show_classes(settings, text):
    """Print the model's classes by name.

    Parameters
    ----------
    settings : Settings
    text : str

    Returns
    -------
    int
    """
    from dreamlib.models.labels import find_class
    from dreamlib.models.zoo import find_model

    model = find_model(settings.model)
    found = find_class(model.read_labels(), text)
    if not found:
        raise DreamError(
            f"model {model.name} has no class named {text!r}, nor one with a name like it; try "
            "another word"
        )
    for index, label in found:
        print(f"{index:4} {label}")
    return 0


def show_models():
    """Print the models, and how to get them."""
    from dreamlib.models.zoo import find_model, list_models

    default = find_model(None).name
    for model in list_models():
        mark = "*" if model.name == default else " "
        state = f"dreams {model.end}" if model.has_weights else f"to get it: {model.fetch}"
        print(f"{mark} {model.name:24} {state}")
    print("* is used without --model; a folder with prototxt and caffemodel can be named as well")
    return 0


def show_layers(settings):
    """Print the layers that can be dreamt.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    int
    """
    from dreamlib.models.engines import load_layers
    from dreamlib.models.layers import dreamable_layers
    from dreamlib.models.zoo import find_model

    model = find_model(settings.model)
    net = load_layers(model, settings.engine)
    height, width = net.blobs["data"].shape[2:]
    print(f"{model.name}: layers to dream, with their size (C x H x W) at {width} x {height}")
    for name, kind, shape in dreamable_layers(net):
        mark = "*" if name == model.end else " "
        print(f"{mark} {name:32} {kind:16} {' x '.join(map(str, shape[1:]))}")
    print("* is dreamt without --end" if model.end else "choose one with --end")
    return 0

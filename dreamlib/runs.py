"""One job of the command: from its arguments to the words and the exit code that become of it."""

from __future__ import annotations

import sys

from dreamlib.errors import DreamError
from dreamlib.jobs import run_source
from dreamlib.util.once import first_time

EXIT_REFUSED, EXIT_INTERRUPTED = 2, 130


def say(settings, text):
    """Print a line to who sits there, unless nothing but errors is wanted.

    Parameters
    ----------
    settings : Settings
    text : str
    """
    if not settings.quiet:
        print(text, file=sys.stderr)


def _ended(settings, early, text):
    """Say what became of a job that Ctrl-C ended early; return the exit code."""
    if early:
        say(settings, text)
    return EXIT_INTERRUPTED if early else 0


def write_config(path, settings):
    """Write the settings that repeat a dream, and say so.

    Parameters
    ----------
    path : str
    settings : Settings
    """
    from dreamlib.config import save_config
    from dreamlib.jobs.outputs import check_free

    check_free(path, settings.overwrite)
    if settings.model:
        from dreamlib.models.zoo import absolute_name

        settings = settings.replace(model=absolute_name(settings.model))
    save_config(path, settings)
    if not settings.quiet:
        print(f"settings written to {path}")


def _refuse_options(arguments, what):
    """Refuse options of one dream that are no settings."""
    flags = ["--plan"] * arguments.plan + ["--save-config"] * bool(arguments.save_config)
    if flags:
        raise DreamError(f"{', '.join(flags)} mean nothing to {what}; leave them out")


def _announce_model(settings):
    """Say which model runs where the user named none, and once how to get the notebook's."""
    if settings.model is not None:
        return
    from dreamlib.models.zoo import EMBEDDED, GOOGLENET, find_model

    name, how = find_model(None).name, ""
    if name == EMBEDDED and not settings.quiet and first_time("told-of-googlenet"):
        how = f"; for the notebook's {GOOGLENET} run: {find_model(GOOGLENET).fetch}"
    say(settings, f"model: {name}{how}")


def dream(arguments, settings, network=None):
    """Dream one picture.

    Parameters
    ----------
    arguments : argparse.Namespace
    settings : Settings
    network : dreamlib.jobs.resolve.Network, optional
        Of the dream before, with the same settings.

    Returns
    -------
    int
        The exit code.
    Network
    """
    from dreamlib.commands import describe
    from dreamlib.imaging.formats import loses_alpha
    from dreamlib.jobs.outputs import refuse_unused
    from dreamlib.jobs.prepare import prepare
    from dreamlib.jobs.run import run

    refuse_unused(settings, "picture", arguments.output)
    job = prepare(arguments.input, arguments.output, settings, arguments.plan, network)
    if not network:
        _announce_model(settings)
    if arguments.save_config:
        write_config(arguments.save_config, settings.replace(seed=job.settings.seed))
    if arguments.plan:
        from dreamlib.jobs.plan import plan

        print(plan(job))
        for line in job.notices:
            say(settings, line)
        return 0, job.network
    if loses_alpha(job.picture, job.output):
        say(
            settings,
            f"{job.output} cannot hold the input's transparency, and will be laid on "
            "white; .png, .webp or .tif can",
        )
    if job.folder:
        say(settings, f"work folder: {job.folder.path}, up to {job.demand.canvases / 1e9:.2f} GB")
    try:
        if settings.classify:
            _print_classes("before", job, job.picture)
        result = run(job)
    except KeyboardInterrupt:
        if not job.folder:
            raise
        print(f"dream.py: stopped at once; {_way_on(job.folder.path)}", file=sys.stderr)
        return EXIT_INTERRUPTED, None
    if not result.embedded:
        say(settings, f"{result.path.suffix} pictures cannot carry their settings: use "
             "--save-config to keep them")  # fmt: skip
    used, made = result.settings, f"; {settings.growth}" if settings.growth else ""
    if not settings.quiet:
        print(
            f"{result.path}: {describe(job.network.published, used)}, {used.engine} on "
            f"{result.device}, seed {used.seed}, {result.seconds:.1f} s{made}"
        )
    if settings.classify:
        from dreamlib.imaging.open_save import open_picture

        _print_classes("after", job, open_picture(str(result.path), None, ""))
    early = "stopped early; the picture so far is saved"
    if result.work_folder:
        early += f"\n{_way_on(result.work_folder)}"
    return _ended(settings, result.interrupted, early), job.network


def _print_classes(when, job, picture):
    from dreamlib.models.classify import seen_as

    print(f"{when}: {seen_as(job.network.net, job.network.model, picture)}")


def _way_on(work_folder):
    """Say how an interrupted dream is resumed."""
    return f"resume it with --resume --work-dir {work_folder}"


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
        The exit code.
    """
    if arguments.plan:
        parser.error("--plan tells of one picture; leave --frames out, or name a picture")
    _announce_model(settings)
    if arguments.save_config and not settings.resume:
        write_config(arguments.save_config, settings)
    try:
        result = run_source(arguments.input, arguments.output, settings)
    except KeyboardInterrupt as stop:
        if not stop.args:
            raise
        print(f"dream.py: stopped at once; {stop}", file=sys.stderr)
        return EXIT_INTERRUPTED
    if arguments.save_config and settings.resume:  # whose seed is in its folder
        write_config(arguments.save_config, settings.replace(seed=result.settings.seed))
    used, made = result.settings, "".join(f"; {film}" for film in result.films)
    if not settings.quiet:
        print(f"{result.path}: {result.frames} frames of {used.model}, {used.engine} on "
              f"{result.device}, seed {used.seed}, {result.seconds:.1f} s{made}")  # fmt: skip
    early = "stopped early; the whole frames are kept: resume with --resume"
    return _ended(settings, result.interrupted, early)


def assemble(parser, arguments, settings):
    """Make films of frames that are there.

    Parameters
    ----------
    parser, arguments, settings
        As for `film`.

    Returns
    -------
    int
        The exit code.
    """
    if arguments.input or arguments.output_dir:
        parser.error(
            "--assemble takes a folder or a film and no INPUT; leave one of them out, and name "
            "the film by --gif, --webp or --mp4 FILE"
        )
    from dreamlib.jobs.film_output import assemble_frames

    _refuse_options(arguments, "--assemble")
    films = assemble_frames(arguments.assemble, settings)
    if films and not settings.quiet:
        print("\n".join(films))
    return _ended(settings, films is None, "stopped; nothing was written")


def contact_sheet(arguments, settings):
    """Make a sheet of small dreams.

    Parameters
    ----------
    arguments, settings
        As for `film`.

    Returns
    -------
    int
        The exit code.
    """
    _refuse_options(arguments, "--contact-sheet")
    from dreamlib.jobs.contact_sheet import run

    _announce_model(settings)
    sheet = run(arguments.input, arguments.output, arguments.contact_sheet, settings)
    used = sheet.settings
    if not settings.quiet:
        print(f"{sheet.path}: {sheet.cells} small dreams of {used.model}, {used.engine}, "
              f"seed {used.seed}, {sheet.seconds:.1f} s")  # fmt: skip
    return _ended(settings, sheet.interrupted, "stopped early; the finished cells are saved")


def detail_sheet(arguments, settings):
    """Make a sheet of a large picture's details.

    Parameters
    ----------
    arguments, settings
        As for `film`.

    Returns
    -------
    int
        The exit code.
    """
    _refuse_options(arguments, "--detail-sheet")
    from dreamlib.jobs.detail_sheet import run

    sheet = run(arguments.input, arguments.output, settings)
    if not settings.quiet:
        print(f"{sheet.path}: {len(sheet.windows)} windows at true scale, {sheet.seconds:.1f} s")
    return 0

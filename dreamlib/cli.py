"""The command: flags into settings, a run, and what the user reads. Nothing else.

What a dream does not need is imported where it is asked for: --help and --list-models are to answer
at once.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import signal
import sys
from pathlib import Path

from dreamlib import __version__
from dreamlib.errors import LONGEST_NAME, DreamError, paragraph, warnings_in_words
from dreamlib.jobs import kind_of, run_source, with_preset
from dreamlib.settings import BY_NAME, SETTINGS, Settings

EXIT_REFUSED, EXIT_INTERRUPTED = 2, 130
EXIT_UNREAD = 141  # as a shell reports a command whose reader went away

EXAMPLES = """\
examples:
  dream.py sky.jpg                                  write sky_dream.png beside you
  dream.py sky.jpg deep.jpg --octaves 6 --iterations 20
  dream.py noise:512x512 out.png --end LAYER --seed 7
  dream.py sky.jpg again.png --config deep.jpg      the settings that made deep.jpg
"""

#: Flags that ask what there is; nothing is dreamt.
LISTS = ("list_models", "list_layers", "list_presets")

HEADINGS = ("network", "dream", "looks", "large pictures", "films", "output")


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        """Name the nearest flags beside those that are unknown."""
        if message.startswith("unrecognized arguments"):
            known = [text for action in self._actions for text in action.option_strings]
            given = [word.split("=")[0] for word in message.split() if word.startswith("--")]
            given = [flag for flag in given if len(flag) <= LONGEST_NAME]
            near = [difflib.get_close_matches(flag, known, n=1, cutoff=0.7) for flag in given]
            if any(near):
                message += f"; did you mean {', '.join(match for one in near for match in one)}?"
        super().error(paragraph(message))

    def _print_message(self, message, file=None):
        # argparse's own keeps silent where the text cannot be written
        print(message or "", end="", file=file or sys.stderr)


def build_parser():
    """Make the argument parser from the table of settings."""
    parser = _Parser(
        prog="dream.py",
        description="Dream a picture: the 2015 deep-dream notebook as a command.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "input", nargs="?", help="a picture, noise:WIDTHxHEIGHT, a clip, or a folder of frames"
    )
    parser.add_argument(
        "output", nargs="?", help="where to write; the suffix chooses the format [INPUT_dream.png]"
    )
    groups = {name: parser.add_argument_group(name) for name in HEADINGS}
    for setting in SETTINGS:
        _add_flag(groups[setting.group], setting)
    files = parser.add_argument_group("settings in files")
    files.add_argument(
        "--config", metavar="FILE", help="read them: .toml, .json or a dreamt picture"
    )
    files.add_argument(
        "--preset", metavar="NAME", help="begin with named settings: see --list-presets"
    )
    files.add_argument("--save-config", metavar="FILE", help="write them: .toml or .json")
    about = parser.add_argument_group("about")
    about.add_argument(
        "--plan", action="store_true", help="print sizes, tiles, memory and time; dream nothing"
    )
    about.add_argument(
        "--profile", action="store_true", help="print time and peak memory of each phase"
    )
    about.add_argument(
        "--contact-sheet", nargs="?", const="", metavar="LAYER", help="a sheet of small dreams of "
        "all layers; of a LAYER's channels, LAYER[0-31] for some; of layers by a pattern, 'conv4*'"
    )  # fmt: skip
    about.add_argument(
        "--assemble",
        metavar="DIR",
        help="dream nothing: make films of the frames in a folder, or of a film",
    )
    about.add_argument("--find-class", metavar="TEXT", help="the model's classes by name")
    about.add_argument("--list-models", action="store_true", help="models, and how to get them")
    about.add_argument("--list-presets", action="store_true", help="presets, and what they make")
    about.add_argument("--list-layers", action="store_true", help="layers of the model")
    about.add_argument("--version", action="version", version=f"dreamlib {__version__}")
    return parser


def _add_flag(group, setting):
    shown = setting.default is not None and setting.kind is not bool
    options = {"dest": setting.name, "default": argparse.SUPPRESS, "help": setting.help}
    options["help"] += f" [{setting.default}]" * shown
    if setting.kind is bool:
        # Only the spelling that changes something is shown.
        spellings = (setting.flag, "--no-" + setting.flag[2:])
        changing, other = spellings[:: -1 if setting.default else 1]
        if setting.default:
            options["help"] = "do not " + setting.help
        group.add_argument(changing, action="store_const", const=not setting.default, **options)
        options["help"] = argparse.SUPPRESS
        group.add_argument(other, action="store_const", const=setting.default, **options)
        return
    if setting.bare is not None:
        options.update(nargs="?", const=setting.bare)
    options["metavar"] = setting.metavar or "{" + ",".join(setting.choices) + "}"
    group.add_argument(setting.flag, **options)
    if setting.old_name:
        options["help"] = argparse.SUPPRESS
        group.add_argument("--" + setting.old_name.replace("_", "-"), **options)


def _job_of(arguments, frames):
    """Return the kind of job that is asked for: see `dreamlib.settings.JOBS`."""
    if arguments.assemble is not None:
        return "assembly"
    if arguments.contact_sheet is not None:
        return "sheet"
    return kind_of(arguments.input or "", frames, arguments.output)


def settings_from(arguments):
    """Merge the preset, the configuration file and the flags; the later has the last word.

    Parameters
    ----------
    arguments : argparse.Namespace

    Returns
    -------
    Settings
        A picture's record may be of another kind of job; what means nothing to this one is left
        out.
    """
    flags = {
        setting.name: setting.check(getattr(arguments, setting.name), setting.flag)
        for setting in SETTINGS
        if hasattr(arguments, setting.name)
    }
    read = _read_config(arguments, flags) if arguments.config else {}
    values = {**read, **flags}
    if "distort" in flags:  # what the user writes may run the user's code
        values.setdefault("allow_code", True)
    if arguments.preset is not None:
        values = with_preset(arguments.preset, values)
    return Settings(**values)


def _read_config(arguments, flags):
    """Read the configuration file; of a picture's record, what means something to this job."""
    from dreamlib.config import WRITTEN, load_config

    read = load_config(arguments.config)
    if Path(arguments.config).suffix in WRITTEN:
        return read
    job = _job_of(arguments, {**read, **flags}.get("frames"))
    return {name: read[name] for name in read if job in BY_NAME[name].applies_to}


def main(argv=None):
    """Run the command.

    Parameters
    ----------
    argv : list of str, optional
        By default the process's own arguments.

    Returns
    -------
    int
        0, or 2 for what the user can mend, or 130 after Ctrl-C, or 141 where nobody reads on.
    """
    try:
        try:
            with warnings_in_words():
                return _main(argv)
        finally:
            if sys.stdout:
                sys.stdout.flush()  # a full disk shows here, where it can still be told
    except BrokenPipeError:  # head, for instance, has seen enough
        _discard(sys.stdout, sys.stderr)
        return EXIT_UNREAD
    except OSError as error:
        if error.filename is not None or error.errno is None:  # not of an output stream
            raise
        _discard(sys.stdout)
        with contextlib.suppress(OSError):
            print(f"dream.py: its messages cannot be written: {error.strerror}; expected a "
                  "place with room for it", file=sys.stderr)  # fmt: skip
        return EXIT_REFUSED


def _discard(*streams):
    """Let what is still buffered go nowhere, so that the interpreter does not fail at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        if stream:
            os.dup2(nowhere, stream.fileno())


def _main(argv):
    parser = build_parser()
    arguments = parser.parse_intermixed_args(argv)
    try:
        if not arguments.profile:
            return _run(parser, arguments)
        from dreamlib.util.profiling import recording

        with recording() as recorded:
            status = _run(parser, arguments)
        print(recorded.table())
        return status
    except DreamError as error:
        print(f"dream.py: {paragraph(str(error))}", file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is being obeyed already
        print("dream.py: stopped; nothing was written", file=sys.stderr)
        return EXIT_INTERRUPTED


def _run(parser, arguments):
    settings = settings_from(arguments)
    if any(getattr(arguments, name) for name in LISTS) or arguments.find_class is not None:
        from dreamlib.commands import show

        show(arguments, settings)
        return 0
    job = _job_of(arguments, settings.frames)
    if job == "assembly":
        return _assemble(parser, arguments, settings)
    if job == "sheet":
        return _contact_sheet(parser, arguments, settings)
    if arguments.input:
        if job == "picture":
            return _dream(arguments, settings)
        return _film(parser, arguments, settings)
    if not arguments.save_config:
        parser.error("an INPUT picture is missing (dream.py --help shows examples)")
    _write_config(arguments.save_config, settings)
    return 0


def _say(settings, text):
    if not settings.quiet:
        print(text, file=sys.stderr)


def _ended(settings, early, text):
    """Say what became of a job that Ctrl-C ended early; return the exit code."""
    if early:
        _say(settings, text)
    return EXIT_INTERRUPTED if early else 0


def _write_config(path, settings):
    from dreamlib.config import save_config

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
    """Say which model runs where the user named none, and how to get the notebook's."""
    if settings.model is not None:
        return
    from dreamlib.models.zoo import EMBEDDED, GOOGLENET, find_model

    name, how = find_model(None).name, ""
    if name == EMBEDDED:
        how = f"; for the notebook's {GOOGLENET} run: {find_model(GOOGLENET).fetch}"
    _say(settings, f"model: {name}{how}")


def _dream(arguments, settings):
    """Dream one picture."""
    from dreamlib.commands import describe
    from dreamlib.imaging.formats import loses_alpha
    from dreamlib.jobs.prepare import prepare
    from dreamlib.jobs.run import run

    job = prepare(arguments.input, arguments.output, settings, planning=arguments.plan)
    _announce_model(settings)
    if arguments.save_config:
        _write_config(arguments.save_config, settings)
    if arguments.plan:
        from dreamlib.jobs.plan import plan

        print(plan(job))
        return 0
    if loses_alpha(job.picture, job.output):
        _say(
            settings,
            f"{job.output} cannot hold the input's transparency, and will be laid on "
            "white; .png, .webp or .tif can",
        )
    if job.folder:
        _say(settings, f"work folder: {job.folder.path}, up to {job.demand.canvases / 1e9:.2f} GB")
    try:
        if settings.classify:
            _print_classes("before", job, job.picture)
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
        from dreamlib.imaging.open_save import open_picture

        _print_classes("after", job, open_picture(str(result.path), None, ""))
    early = "stopped early; the picture so far is saved"
    if result.work_folder:
        early += f"\n{_way_on(result.work_folder)}"
    return _ended(settings, result.interrupted, early)


def _print_classes(when, job, picture):
    from dreamlib.models.classify import seen_as

    print(f"{when}: {seen_as(job.network.net, job.network.model, picture)}")


def _way_on(work_folder):
    """Say how an interrupted dream is resumed."""
    return f"resume it with --resume --work-dir {work_folder}"


def _film(parser, arguments, settings):
    """Dream a film: frames from a picture, or a clip."""
    if arguments.plan:
        parser.error("--plan tells of one picture; leave --frames out, or name a picture")
    _announce_model(settings)
    if arguments.save_config:
        _write_config(arguments.save_config, settings)
    try:
        result = run_source(arguments.input, arguments.output, settings)
    except KeyboardInterrupt as stop:
        if not stop.args:
            raise
        print(f"dream.py: stopped at once; {stop}", file=sys.stderr)
        return EXIT_INTERRUPTED
    used, made = result.settings, "".join(f"; {film}" for film in result.films)
    if not settings.quiet:
        print(f"{result.path}: {result.frames} frames of {used.model}, {used.engine} on "
              f"{result.device}, seed {used.seed}, {result.seconds:.1f} s{made}")  # fmt: skip
    early = "stopped early; the whole frames are kept: resume with --resume"
    return _ended(settings, result.interrupted, early)


def _assemble(parser, arguments, settings):
    """Make films of frames that are there."""
    if arguments.input:
        parser.error("--assemble takes a folder or a film and no INPUT; leave one of them out")
    from dreamlib.jobs.film_output import assemble_frames

    _refuse_options(arguments, "--assemble")
    films = assemble_frames(arguments.assemble, settings)
    if films and not settings.quiet:
        print("\n".join(films))
    return _ended(settings, films is None, "stopped; nothing was written")


def _contact_sheet(parser, arguments, settings):
    """Make a sheet of small dreams."""
    _refuse_options(arguments, "--contact-sheet")
    if not arguments.input:
        parser.error("an INPUT picture is missing; write it before --contact-sheet")
    from dreamlib.jobs.contact_sheet import run

    _announce_model(settings)
    sheet = run(arguments.input, arguments.output, arguments.contact_sheet, settings)
    used = sheet.settings
    if not settings.quiet:
        print(f"{sheet.path}: {sheet.cells} small dreams of {used.model}, {used.engine}, "
              f"seed {used.seed}, {sheet.seconds:.1f} s")  # fmt: skip
    return _ended(settings, sheet.interrupted, "stopped early; the finished cells are saved")

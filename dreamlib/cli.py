"""The command: flags into settings, a run, and what the user reads. Nothing else."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import signal
import sys
from pathlib import Path

from dreamlib import __version__, commands
from dreamlib.commands import EXIT_INTERRUPTED, EXIT_REFUSED
from dreamlib.config import WRITTEN, load_config
from dreamlib.errors import DreamError
from dreamlib.jobs.kinds import kind_of
from dreamlib.settings import BY_NAME, SETTINGS, Settings
from dreamlib.util import profiling as phases

EXIT_UNREAD = 141  # as a shell reports a command whose reader went away

EXAMPLES = """\
examples:
  dream.py sky.jpg                                  write sky_dream.png beside you
  dream.py sky.jpg deep.jpg --octaves 6 --iterations 20
  dream.py noise:512x512 out.png --end LAYER --seed 7
  dream.py sky.jpg again.png --config deep.jpg      the settings that made deep.jpg
"""

HEADINGS = ("network", "dream", "looks", "large pictures", "films", "output")


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        """Name the nearest flags beside those that are unknown."""
        if message.startswith("unrecognized arguments"):
            known = [text for action in self._actions for text in action.option_strings]
            given = [word.split("=")[0] for word in message.split() if word.startswith("--")]
            near = [difflib.get_close_matches(flag, known, n=1, cutoff=0.7) for flag in given]
            if any(near):
                message += f"; did you mean {', '.join(match for one in near for match in one)}?"
        super().error(message)

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
    parser.add_argument("input", nargs="?", help="a picture, or noise:WIDTHxHEIGHT")
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
        "--assemble", metavar="DIR", help="dream nothing: make films of the frames in a folder"
    )
    about.add_argument("--find-class", metavar="TEXT", help="the model's classes by name")
    about.add_argument("--list-models", action="store_true", help="models, and how to get them")
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


def job_of(arguments, frames):
    """Return the kind of job that is asked for: see `dreamlib.settings.JOBS`.

    Parameters
    ----------
    arguments : argparse.Namespace
    frames : int or None
        The setting.

    Returns
    -------
    str
    """
    if arguments.assemble is not None:
        return "assembly"
    if arguments.contact_sheet is not None:
        return "sheet"
    return kind_of(arguments.input or "", frames)


def settings_from(arguments):
    """Merge the configuration file and the flags, which have the last word.

    Parameters
    ----------
    arguments : argparse.Namespace

    Returns
    -------
    Settings
        A picture's record may be of another kind of job; what means nothing to this one is left
        out.
    """
    read = load_config(arguments.config) if arguments.config else {}
    flags = {
        setting.name: setting.check(getattr(arguments, setting.name), setting.flag)
        for setting in SETTINGS
        if hasattr(arguments, setting.name)
    }
    if arguments.config and Path(arguments.config).suffix not in WRITTEN:
        job = job_of(arguments, {**read, **flags}.get("frames"))
        read = {name: read[name] for name in read if job in BY_NAME[name].applies_to}
    return Settings(**{**read, **flags})


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
        with phases.recording() as recorded:
            status = _run(parser, arguments)
        print(recorded.table())
        return status
    except DreamError as error:
        print(f"dream.py: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is being obeyed already
        print("dream.py: stopped; nothing was written", file=sys.stderr)
        return EXIT_INTERRUPTED


def _run(parser, arguments):
    settings = settings_from(arguments)
    if arguments.list_models:
        return commands.show_models()
    if arguments.list_layers:
        return commands.show_layers(settings)
    if arguments.find_class is not None:
        return commands.show_classes(settings, arguments.find_class)
    job = job_of(arguments, settings.frames)
    if job == "assembly":
        return commands.assemble(parser, arguments, settings)
    if job == "sheet":
        return commands.contact_sheet(parser, arguments, settings)
    if arguments.input:
        if job == "picture":
            return commands.dream(arguments, settings)
        return commands.film(parser, arguments, settings)
    if not arguments.save_config:
        parser.error("an INPUT picture is missing (dream.py --help shows examples)")
    commands.write_config(arguments.save_config, settings)
    return 0

"""The command: flags into settings, a run, and what the user reads. Nothing else."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import signal
import sys

from . import __version__
from .configuration import load_config, save_config
from .errors import DreamError
from .settings import BY_NAME, KNOBS, Settings

EXIT_REFUSED, EXIT_INTERRUPTED = 2, 130
EXIT_UNREAD = 141  # as a shell reports a command whose reader went away

EXAMPLES = """\
examples:
  dream.py sky.jpg                                  write sky_dream.png beside you
  dream.py sky.jpg deep.jpg --octaves 6 --iterations 20
  dream.py noise:512x512 out.png --end LAYER --seed 7
  dream.py sky.jpg again.png --config deep.jpg      the settings that made deep.jpg
"""

HEADINGS = ("network", "dream", "looks", "large pictures", "output")


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
    for knob in KNOBS:
        _add_flag(groups[knob.group], knob)
    files = parser.add_argument_group("settings in files")
    files.add_argument(
        "--config", metavar="FILE", help="read them: .toml, .json or a dreamt picture"
    )
    files.add_argument("--save-config", metavar="FILE", help="write them: .toml or .json")
    about = parser.add_argument_group("about")
    about.add_argument(
        "--plan", action="store_true", help="tell sizes, tiles, memory and time; dream nothing"
    )
    about.add_argument(
        "--contact-sheet", nargs="?", const="", metavar="LAYER", help="a sheet of small dreams of "
        "all layers; of a LAYER's channels, LAYER[0-31] for some; of layers by a pattern, 'conv4*'"
    )  # fmt: skip
    about.add_argument("--find-class", metavar="TEXT", help="the model's classes by name")
    about.add_argument("--list-models", action="store_true", help="models, and how to get them")
    about.add_argument("--list-layers", action="store_true", help="layers of the model")
    about.add_argument("--version", action="version", version=f"dreamlib {__version__}")
    return parser


def _add_flag(group, knob):
    default = "" if knob.default is None or knob.kind is bool else f" [{knob.default}]"
    options = {"dest": knob.name, "default": argparse.SUPPRESS, "help": knob.help + default}
    if knob.kind is bool:
        # Only the spelling that changes something is shown.
        shown, hidden = (knob.flag, "--no-" + knob.flag[2:])[:: -1 if knob.default else 1]
        if knob.default:
            options["help"] = "do not " + knob.help
        group.add_argument(shown, action="store_const", const=not knob.default, **options)
        options["help"] = argparse.SUPPRESS
        group.add_argument(hidden, action="store_const", const=knob.default, **options)
        return
    if knob.bare is not None:
        options.update(nargs="?", const=knob.bare)
    metavar = knob.metavar or "{" + ",".join(knob.choices) + "}"
    group.add_argument(knob.flag, metavar=metavar, **options)


def settings_from(arguments):
    """Merge the configuration file and the flags, which have the last word.

    Parameters
    ----------
    arguments : argparse.Namespace

    Returns
    -------
    Settings
    """
    values = load_config(arguments.config) if arguments.config else {}
    for knob in KNOBS:
        if hasattr(arguments, knob.name):
            values[knob.name] = knob.check(getattr(arguments, knob.name), knob.flag)
    return Settings(**values)


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
            print(f"dream.py: what it has to say cannot be written: {error.strerror}; expected a "
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
    arguments = parser.parse_args(argv)
    try:
        return _run(parser, arguments)
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
        return _list_models()
    if arguments.list_layers:
        return _list_layers(settings)
    if arguments.find_class is not None:
        return _find_class(settings, arguments.find_class)
    if arguments.contact_sheet is not None:
        return _contact_sheet(parser, arguments, settings)
    if arguments.input:
        return _dream(arguments, settings)
    if not arguments.save_config:
        parser.error("an INPUT picture is missing (dream.py --help shows examples)")
    _save_config(arguments.save_config, settings)
    return 0


def _save_config(path, settings):
    if settings.model:
        from .models import lasting_name

        settings = settings.replace(model=lasting_name(settings.model))
    save_config(path, settings)
    if not settings.quiet:
        print(f"settings written to {path}")


def _say(settings, text):
    if not settings.quiet:
        print(text, file=sys.stderr)


def _dream(arguments, settings):
    from .aims import describe  # these are not for --help: scipy takes its time
    from .classify import seen_as
    from .files import loses_alpha, open_picture
    from .preparation import prepare
    from .session import run

    job = prepare(arguments.input, arguments.output, settings, planning=arguments.plan)
    if settings.model is None:
        _say(settings, _announce_model())
    if arguments.save_config:
        _save_config(arguments.save_config, settings)
    if arguments.plan:
        from .plan import plan

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
            print(f"before: {seen_as(job.net, job.model, job.picture)}")
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
            f"{result.path}: {describe(job.model, used)}, {used.engine} on {result.device}, "
            f"seed {used.seed}, {result.seconds:.1f} s"
        )
    if settings.classify:
        written = open_picture(str(result.path), None, "")
        print(f"after: {seen_as(job.net, job.model, written)}")
    if result.interrupted:
        _say(settings, "stopped early; the picture so far is saved")
        if result.work_folder:
            _say(settings, _way_on(result.work_folder))
        return EXIT_INTERRUPTED
    return 0


def _way_on(work_folder):
    """Say how an interrupted dream is gone on with."""
    return f"go on with --resume --work-dir {work_folder}"


def _contact_sheet(parser, arguments, settings):
    unused = ["end", "layers", "guide", "guide_layer", "guide_mode"]
    unused += [knob.name for knob in KNOBS if knob.group in ("looks", "large pictures")]
    flags = [BY_NAME[name].flag for name in unused if hasattr(arguments, name)]
    flags += ["--plan"] * arguments.plan + ["--save-config"] * bool(arguments.save_config)
    if flags:
        parser.error(
            f"--contact-sheet makes small dreams, for which {', '.join(flags)} mean nothing"
        )
    if not arguments.input:
        parser.error("an INPUT picture is missing; write it before --contact-sheet")
    from .contact_sheet import run

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
    from .models import EMBEDDED, GOOGLENET, find_model

    model = find_model(None)
    if model.name != EMBEDDED:
        return f"model: {model.name}"
    fetch = find_model(GOOGLENET).fetch
    return f"model: {EMBEDDED}; for the notebook's {GOOGLENET} run: {fetch}"


def _find_class(settings, text):
    from .labels import find_class
    from .models import find_model

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


def _list_models():
    from .models import find_model, list_models

    default = find_model(None).name
    for model in list_models():
        mark = "*" if model.name == default else " "
        state = f"dreams {model.end}" if model.has_weights else f"to get it: {model.fetch}"
        print(f"{mark} {model.name:24} {state}")
    print("* is used without --model; a folder with prototxt and caffemodel can be named as well")
    return 0


def _list_layers(settings):
    from .engines import load_layers
    from .layers import dreamable_layers
    from .models import find_model

    model = find_model(settings.model)
    net = load_layers(model, settings.engine)
    height, width = net.blobs["data"].shape[2:]
    print(f"{model.name}: layers to dream, with their size (C x H x W) at {width} x {height}")
    for name, kind, shape in dreamable_layers(net):
        mark = "*" if name == model.end else " "
        print(f"{mark} {name:32} {kind:16} {' x '.join(map(str, shape[1:]))}")
    print("* is dreamt without --end" if model.end else "choose one with --end")
    return 0

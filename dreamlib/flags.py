"""The command's flags, made from the table of settings."""

from __future__ import annotations

import argparse
import difflib
import sys

from dreamlib import __version__
from dreamlib.errors import LONGEST_NAME, paragraph
from dreamlib.settings import SETTINGS

EXAMPLES = """\
examples:
  dream.py sky.jpg                                  write sky_dream.png beside you
  dream.py sky.jpg deep.jpg --octaves 6 --iterations 20
  dream.py noise:512x512 out.png --end LAYER --seed 7
  dream.py sky.jpg again.png --config deep.jpg      the settings that made deep.jpg
  dream.py holiday/*.jpg --output-dir dreams        each of them
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
        self.exit(2, f"dream.py: {paragraph(message)} (all flags: dream.py --help)\n")

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
    parser.add_argument("more", nargs="*", help="with --output-dir all of them are inputs")
    parser.add_argument(
        "--output-dir", metavar="FOLDER", help="dream every input, or every picture of a folder, "
        "into this one"
    )  # fmt: skip
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
        "all layers; of layers by a pattern, 'block1?' or 'inception_4*'; of a LAYER's channels, "
        "LAYER[0-31] for some; of classes, 'classes:goldfish, 980, 281-285'"
    )  # fmt: skip
    about.add_argument(
        "--detail-sheet", action="store_true", help="dream nothing: a sheet of INPUT, all of it "
        "and six windows at true scale"
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
        changing = setting.changing_flag
        other = setting.flag if setting.default else "--no-" + setting.flag[2:]
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

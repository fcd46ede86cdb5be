"""The command: flags into settings, a run, and what the user reads. Nothing else.

What a dream does not need is imported where it is asked for: --help and --list-models are to answer
at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

from dreamlib.errors import MISSPELT, DreamError, nearest, paragraph, warnings_in_words
from dreamlib.flags import LISTS, build_parser
from dreamlib.jobs import kind_of, overruled, with_preset
from dreamlib.runs import (
    EXIT_INTERRUPTED,
    EXIT_REFUSED,
    assemble,
    contact_sheet,
    detail_sheet,
    dream,
    film,
    say,
    write_config,
)
from dreamlib.settings import BY_NAME, SETTINGS, Settings

EXIT_UNREAD = 141  # as a shell reports a command whose reader went away


#: Flags that ask for something else than a dream: those that are about files; and the settings that
#: the others, lists, look at.
ASKING = (*LISTS, "find_class", "assemble", "contact_sheet", "detail_sheet")
OF_FILES = ("assemble", "contact_sheet", "detail_sheet")
OF_LISTS = ("model", "engine", "gpu", "precision", "quiet")


def _job_of(arguments, frames):
    """Return the kind of job that is asked for: see `dreamlib.settings.JOBS`."""
    if arguments.assemble is not None:
        return "assembly"
    if arguments.contact_sheet is not None:
        return "sheet"
    if arguments.detail_sheet:
        return "details"
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
    read = overruled(_read_config(arguments, flags), flags) if arguments.config else {}
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
    asked = _asked(arguments)
    settings = settings_from(arguments)
    if asked and asked not in OF_FILES:
        from dreamlib.commands import show

        show(arguments, settings)
        return 0
    if asked == "assemble":
        return assemble(parser, arguments, settings)
    if not arguments.input and (asked or arguments.plan or not arguments.save_config):
        parser.error("an INPUT picture is missing")
    if not arguments.input:
        write_config(arguments.save_config, settings)
        return 0
    if arguments.save_config and not settings.resume:  # the seed that is drawn is to be written
        from dreamlib.jobs.prepare import with_seed

        settings = with_seed(settings)
    if arguments.output_dir is not None:
        return _batch(parser, arguments, settings)
    _check_paths(arguments, settings)
    return _one(parser, arguments, settings)[0]


def _asked(arguments):
    """Return the flag that asks for something else than a dream, if any, as an attribute's name.

    What would mean nothing beside it is refused.
    """
    asked = [name for name in ASKING if getattr(arguments, name) not in (None, False)]
    if len(asked) > 1:
        raise DreamError(f"{_flags(asked)} ask for different things; write one of them")
    if not asked or asked[0] in OF_FILES:
        return asked[0] if asked else None
    given = [name for name in BY_NAME if hasattr(arguments, name) and name not in OF_LISTS]
    given += [name for name in ("plan", "save_config", "output_dir") if getattr(arguments, name)]
    if given:
        raise DreamError(f"{_flags(given)} would do nothing beside {_flags(asked)}; leave it out")
    if arguments.input:
        raise DreamError(f"{_flags(asked)} looks at no picture; leave {arguments.input} out")
    return asked[0]


def _flags(names):
    return ", ".join("--" + name.replace("_", "-") for name in names)


def _check_paths(arguments, settings):
    """Ask what is meant where a picture may have been named that is not to be written over."""
    if arguments.more:
        named = len(arguments.more) + 2
        raise DreamError(
            f"{named} names are written where INPUT and OUTPUT are expected; to dream several "
            "pictures add --output-dir FOLDER (a name with spaces stands in quotes)"
        )
    source, output = arguments.input, arguments.output
    if os.path.isdir(source):
        _check_frames(source)
    elif not source.startswith("noise:") and not os.path.lexists(source):
        raise DreamError(f"{source}: there is no such file{_instead_of(source, output)}")
    both = output and os.path.isfile(source) and os.path.isfile(output)
    if not both or settings.overwrite or os.path.samefile(source, output):
        return
    from dreamlib.jobs.outputs import is_dreams_own, recorded_text

    if not is_dreams_own(output) or recorded_text(source):  # a dream's, not a sample's
        raise DreamError(
            f"{source} and {output} are both there already. Are both to be dreamt? Then add "
            f"--output-dir FOLDER. Is {output} to be replaced by a dream of {source}? Then add "
            "--overwrite"
        )


def _instead_of(source, output):
    """Say what may be meant by an input that is not there: a clause to end an error, or ''."""
    if source == "noise":
        return "; noise is written with its size, as noise:512x384"
    if output and os.path.isfile(output):
        from dreamlib.jobs.outputs import is_dreams_own

        if not is_dreams_own(output):
            return f", but {output} is there: INPUT stands before OUTPUT"
    folder, name = os.path.split(source)
    try:
        near = nearest(name, os.listdir(folder or "."), MISSPELT)
    except OSError:  # no folder, or none to be read: nothing is near
        near = ""
    return near


def _check_frames(folder):
    """Refuse a folder as a film of its pictures where they are no frames."""
    from dreamlib.video.frame_folder import find_frames

    try:
        find_frames(folder)
    except DreamError as error:
        raise DreamError(
            f"{error}. To dream every picture in it by itself add --output-dir FOLDER"
        ) from error


def _one(parser, arguments, settings, network=None):
    """Do what is asked for with one input; return the exit code, and a network to be used again."""
    job = _job_of(arguments, settings.frames)
    if job == "sheet":
        return contact_sheet(arguments, settings), None
    if job == "details":
        return detail_sheet(arguments, settings), None
    if job == "picture":
        return dream(arguments, settings, network)
    return film(parser, arguments, settings), None


def _batch(parser, arguments, settings):
    """Dream several inputs into a folder; what fails on the way is told, and the next one begun."""
    from dreamlib.jobs.batch import settings_of, tasks_of
    from dreamlib.jobs.prepare import with_seed

    sources = [one for one in (arguments.input, arguments.output, *arguments.more) if one]
    asked = {"contact_sheet": "sheet", "detail_sheet": "details"}.get(_asked(arguments))
    kind = asked or ("frames" if settings.frames else "picture")
    tasks = tasks_of(sources, arguments.output_dir, kind, settings)
    settings = settings if settings.resume else with_seed(settings)
    worst, network = 0, None
    for number, task in enumerate(tasks, 1):
        own = settings_of(task, settings)
        done = ": dreamt already" if own is None else ""
        say(settings, f"{number}/{len(tasks)}  {task.source}{done}")
        if own is None:
            continue
        arguments.input, arguments.output = task
        try:
            status, network = _one(parser, arguments, own, network)
        except DreamError as error:
            print(f"dream.py: {paragraph(str(error))}", file=sys.stderr)
            status = EXIT_REFUSED
        except KeyboardInterrupt:
            print(f"dream.py: stopped at {number} of {len(tasks)}; those before are written",
                  file=sys.stderr)  # fmt: skip
            return EXIT_INTERRUPTED
        if status == EXIT_INTERRUPTED:
            return status
        worst = max(worst, status)
    return worst

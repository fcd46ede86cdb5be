"""What is said of a dream before it begins, since whoever asked for it may not expect it."""

from __future__ import annotations

from dreamlib.errors import DreamError
from dreamlib.jobs.keyframes import parse_variations
from dreamlib.models.layers import before_softmax, layer_named
from dreamlib.settings import BY_NAME, SETTINGS
from dreamlib.tiling.memory_plan import LARGEST_WHOLE

#: Settings that say what is dreamt, beside `end`.
WAYS = ("layers", "target", "guide")


def asked_end(settings):
    """Return the layer that somebody chose by the setting `end`, or let change; else None.

    Parameters
    ----------
    settings : Settings
        Before anything is chosen for them.

    Returns
    -------
    str or None
    """
    varied = any(one.name == "end" for one in parse_variations(settings.vary))
    return settings.end if varied or "end" in settings.given else None


def notices_of(network, asked, settings, specs):
    """Say what may surprise of a dream; refuse a layer that was asked for, and is not dreamt.

    Parameters
    ----------
    network : dreamlib.jobs.resolve.Network
    asked : str or None
        See `asked_end`.
    settings : Settings
        With what is dreamt resolved.
    specs : list of dreamlib.ascent.objectives.ObjectiveSpec
        Of the octaves.

    Returns
    -------
    tuple of str
        A line each.

    Raises
    ------
    DreamError
    """
    lines, asked = [], layer_named(network.net, asked)
    if asked is not None and asked not in {spec.end for spec in specs}:
        lines.append(_not_dreamt(asked, settings, specs))
    for end in dict.fromkeys(spec.end for spec in specs):
        before = before_softmax(network.net, end)
        if before:
            lines.append(
                f"layer {end!r} is a softmax: where the network is sure, its gradient all but "
                f"vanishes. The layer before it is {before!r}, for --end; classes are dreamt by "
                "--target"
            )
    if settings.target and not settings.script:
        lines.append(
            "classes are drawn by the notebook's octaves, for which settings of theirs, or of "
            "--schedule, ask; without these it is by --script direct"
        )
    return (*lines, *_not_its_own(network.published, settings))


def of_sharing(settings, chosen, size):
    """Say that a picture is dreamt in tiles since it is shared, where it would have been whole.

    Parameters
    ----------
    settings : Settings
        As they were asked for.
    chosen : dreamlib.tiling.memory_plan.Wanted
        What was made of them.
    size : (height, width)
        Of the last octave.

    Returns
    -------
    tuple of str
    """
    flags = [BY_NAME[name].flag for name in ("devices", "cluster") if getattr(settings, name)]
    asked = settings.given & {"schedule", "tile_size", "overlap"}
    large = size[0] * size[1] > LARGEST_WHOLE
    if not flags or asked or large or settings.resume or chosen.schedule != "shift":
        return ()
    return (
        f"{flags[0]} shares tiles (--schedule shift), and they make another dream than the whole "
        "picture, as which one device dreams one of this size",
    )


def _not_dreamt(asked, settings, specs):
    """Say, or refuse, that a layer which was asked for is not dreamt."""
    flags = [BY_NAME[name].flag for name in WAYS if getattr(settings, name)] or ["--script"]
    flags, end = " and ".join(flags), specs[-1].end
    if flags == "--guide":
        return f"--end {asked} is not dreamt: the guide is followed in {end!r} alone"
    hint = f", or add {asked} to --layers" if settings.layers else ""
    raise DreamError(
        f"--end {asked} means nothing beside {flags}, by which {end!r} is dreamt; leave it "
        f"out{hint}"
    )


def _not_its_own(model, settings):
    """Say what the model's own dream has that one of a chosen layer has not."""
    if settings.target or settings.script or not settings.given & {"end", "layers", "guide"}:
        return []
    names = [one.name for one in SETTINGS if one.name in model.dream and one.name != "end"]
    left = [name for name in names if name not in settings.given]
    left = [name for name in left if getattr(settings, name) != model.dream[name]]
    if not left:
        return []
    flags = " ".join(f"{BY_NAME[name].flag} {model.dream[name]}" for name in left)
    return [f"a chosen layer is dreamt as in the notebook; {model.name}'s own dream has {flags}"]

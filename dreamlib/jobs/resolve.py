"""Settings, a picture and a network make a job: the only way to a `Dream`."""

from __future__ import annotations

import math
import os
from typing import NamedTuple

import numpy as np

from dreamlib.ascent.regularizers import GradientRules, parse_sigmas
from dreamlib.ascent.spec import ObjectiveSpec
from dreamlib.errors import DreamError
from dreamlib.imaging.formats import check_size
from dreamlib.imaging.picture import WRAPS, Noise, Window
from dreamlib.imaging.resample import octave_sizes
from dreamlib.jobs.demands import besides
from dreamlib.jobs.machine import machine_of
from dreamlib.jobs.notices import asked_end, notices_of, of_sharing
from dreamlib.models import engines
from dreamlib.models.input_size import check_octaves_fit, misfit, smallest_side
from dreamlib.models.layers import check_layer, layer_named
from dreamlib.models.zoo import absolute_name
from dreamlib.settings import BY_NAME, SETTINGS, Settings
from dreamlib.tiling import memory_plan
from dreamlib.tiling.octaves import Dream, Finish, Octave, Ramp, Tiling, octave_windows

#: Settings that ask for the notebook's octaves where a class is dreamt and no script is named.
OF_OCTAVES = tuple(setting.name for setting in SETTINGS if setting.script_has_own)

#: Tiles of a pass: the feathered schedules place each by all before it, `random` by all pixels too.
MOST_TILES = {"random": 5000, "spiral": 20_000}

#: What a drawing from noise begins with, in grey levels: mean of red, green and blue; deviation.
GREY, DEVIATION = (124, 116, 104), 8


class Network(NamedTuple):
    """A network that is loaded."""

    published: object  #: the `dreamlib.models.model.Model` that was named
    model: object  #: what runs of it: fully convolutional, where classes are dreamt
    net: object
    definition: object  #: its prototxt
    judge_models: tuple = ()  #: that look on beside it, in direct ascent
    judges: tuple = ()  #: their nets


class Job(NamedTuple):
    """A dream that can begin."""

    output: str
    picture: object  #: see `dreamlib.imaging.picture`
    deep: bool  #: whether it has 16 bits
    network: Network
    settings: Settings  #: nothing is left open
    recorded: Settings  #: what repeats the dream
    dream: Dream
    region: Window | None  #: what is written, in the last octave; None for all
    demand: memory_plan.Demand
    folder: object  #: a `WorkFolder`; None where canvases are held in RAM
    notices: tuple = ()  #: what the user may not expect of it, a line each


def make_job(network, picture, settings, output, film=None):
    """Choose what settings leave open for one picture, and refuse what cannot be.

    Parameters
    ----------
    network : Network
    picture : picture
        See `dreamlib.imaging.picture`.
    settings : Settings
        With a seed, and the script chosen.
    output : str
    film : dreamlib.tiling.memory_plan.Besides, optional
        What the film takes that the picture is a frame of.

    Returns
    -------
    Job
        Without a folder.
    """
    net, model, definition = network.net, network.model, network.definition
    asked = asked_end(settings)
    asked = asked and layer_named(net, asked)  # which may be called by its blob
    settings = settings.replace(
        model=absolute_name(settings.model or network.published.name),
        engine=engines.engine_name(net),
        end=layer_named(net, settings.end or model.end or None),
        mask=settings.mask and os.path.abspath(settings.mask),
    )
    if settings.judges:
        from dreamlib.jobs.objective import absolute_judges

        settings = settings.replace(judges=absolute_judges(settings.judges))
    if settings.script:
        from dreamlib.ascent.octave_script import absolute_script

        settings = settings.replace(script=absolute_script(settings.script))
    spec = ObjectiveSpec(end=settings.end)
    if settings.target or settings.guide or settings.layers:
        from dreamlib.jobs.objective import resolve_objective

        settings, spec = resolve_objective(net, model, settings)
    check_layer(net, settings.end, model)
    size, noise = (picture.height, picture.width), isinstance(picture, Noise)
    if settings.script:
        from dreamlib.jobs.objective import script_octaves

        plan = script_octaves(net, settings, spec, size, noise)
        carry = "picture" if noise else "detail"
        if noise:  # made at the size that is drawn
            drawn = plan[-1 if plan[-1][1] else -2][0]
            picture = Noise(*drawn, settings.seed, GREY, DEVIATION)
    else:
        settings, plan = _notebook_octaves(definition, settings, spec, size)
        carry = "detail"
    notices = notices_of(network, asked, settings, [one for _, _, one in plan])
    direct = any(drawn and drawn.views for _, drawn, _ in plan)
    _check_direct(settings, direct)
    _check_optimiser(settings)
    judges = ()
    if settings.judges:
        from dreamlib.jobs.objective import judge_specs

        judges = judge_specs(network, spec)
    sizes = [octave[0] for octave in plan]
    region = _region(settings.region, size)
    windows = octave_windows(sizes, region)
    _check_reach(definition, settings, plan, windows)
    machine = machine_of(net, settings, picture, film)
    side = max(int(side) for side in net.crop_dims)
    step = memory_plan.step_bytes(definition, settings.end, settings.engine, machine.on_gpu)
    if direct:  # the network sees a view at a time
        views = step(side**2) * (1 + len(network.judges))
        machine = machine._replace(resident=machine.resident + views)
        step = memory_plan.StepBytes(memory_plan.DIRECT_BYTES, memory_plan.DIRECT_BYTES)
    written = region or windows[-1]
    check_size(output, written.width, written.height)
    specs = [one for _, _, one in plan]
    chosen, demand = memory_plan.choose(
        _wanted(settings, side, direct), [window[2:] for window in windows], step,
        picture.dtype, machine,
        bool(settings.anchor or settings.keep_forms) or bool(settings.script and carry == "detail"),
        besides(
            settings, picture, definition, specs, output, (written.height, written.width), film
        ),
    )  # fmt: skip
    notices += of_sharing(settings, chosen, windows[-1][2:])
    _check_moments(settings, chosen, demand)
    check_count(chosen, [window[2:] for window in windows])
    if spec.of_pictures:
        from dreamlib.ascent.guides import check_guides

        check_guides(definition, spec)
    if settings.mask or spec.masks:
        from dreamlib.ascent.mask import Mask

        for mask in dict.fromkeys([*[settings.mask] * bool(settings.mask), *spec.masks]):
            Mask.read(mask)  # refuses what is none
    octaves = tuple(_octave(one, window, settings, chosen) for one, window in zip(plan, windows))
    if not direct:
        check_tiles(definition, settings.end, chosen, [one.size for one in octaves if one.steps])
    # What follows from the rest is not recorded: another picture may need it otherwise.
    recorded = settings.replace(
        schedule=chosen.schedule, tile_size=chosen.tile_size, overlap=chosen.overlap
    )
    wrap = chosen.wrap if not region else "none"
    dream = Dream(
        model=os.path.abspath(network.published.folder),
        engine=settings.engine,
        precision=settings.precision,
        fully_convolutional=bool(settings.target),
        octaves=octaves,
        carry=carry,
        storage=chosen.storage,
        wrap=wrap,
        # The notebook rolls a picture around but does not resample it so: only what was asked for.
        closed=WRAPS[wrap if settings.wrap else "none"],
        seed=settings.seed,
        clip=settings.clip,
        tile_steps=settings.tile_steps,
        gradient=_rules(settings),
        finish=_finish(settings),
        judges=judges,
    )
    settings = recorded.replace(wrap=wrap, storage=chosen.storage)
    deep = picture.dtype == np.uint16
    return Job(
        output, picture, deep, network, settings, recorded, dream, region, demand, None, notices
    )


def _notebook_octaves(definition, settings, spec, size):
    """Return the settings and the notebook's octaves: as many as reach the classes, if any."""
    if settings.target and "octaves" not in settings.given:
        settings = settings.replace(octaves=_octaves_that_fit(definition, settings, size))
    sizes = octave_sizes(*size, settings.octaves, settings.octave_scale)
    return settings, [(tuple(map(int, one)), None, spec) for one in sizes]


def _octaves_that_fit(definition, settings, size):
    """Return how many octaves reach the classes, up to as many as are usual."""
    fitting = 1
    for count in range(2, settings.octaves + 1):
        smallest = octave_sizes(*size, count, settings.octave_scale)[0]
        if misfit(definition, settings.end, *smallest):
            break
        fitting = count
    return fitting


def _octave(planned, window, settings, chosen):
    """Make an `Octave` of (size, the script's octave or None, spec)."""
    size, drawn, spec = planned
    if settings.script:
        steps = drawn.iter_n if drawn else 0
        step_size = Ramp(drawn.start_step_size, drawn.end_step_size) if drawn else Ramp(0, 0)
        blur = Ramp(drawn.start_sigma, drawn.end_sigma) if drawn else Ramp(0, 0)
        direct = drawn.direct if drawn else None
        jitter = drawn.jitter if drawn else 0
        if direct:
            jitter = max(jitter, _rolls(settings))
    else:
        steps, jitter = settings.iterations, settings.jitter
        step_size, blur = Ramp(settings.step_size, settings.step_size), Ramp(0, 0)
        direct = None
    step_size = Ramp(*(settings.class_strength * size for size in step_size))
    tiling = Tiling(chosen.schedule, chosen.tile_size, chosen.overlap, jitter)
    return Octave(size, window, steps, spec, step_size, blur, tiling, direct)


def _check_direct(settings, direct):
    """Refuse what direct ascent cannot do, and judges where there is none."""
    if settings.judges and not direct:
        raise DreamError(
            "--judges look on in direct ascent alone: by --script direct, or --target without "
            "octaves; leave them out, or what asks for another way"
        )
    if direct and settings.schedule not in (None, "whole", "shift"):
        raise DreamError(
            f"--schedule {settings.schedule} has no room for the views of direct ascent; take "
            "whole or shift, or leave it out"
        )
    ways = ["--optimiser adam"] * (settings.optimiser == "adam")
    ways += ["--no-normalise"] * (not settings.normalise)
    if direct and ways:
        raise DreamError(
            f"{ways[0]} means nothing to direct ascent, which shapes its steps itself; leave it "
            "out, or draw by --octaves or another --script"
        )


def _check_optimiser(settings):
    """Refuse what means nothing beside Adam, or does not hold its moments."""
    if settings.optimiser != "adam":
        return
    if not settings.normalise:
        raise DreamError(
            "--no-normalise means nothing to --optimiser adam, which measures each pixel by its "
            "own gradients; leave one of the two out"
        )
    for name in ("devices", "cluster", "work_dir", "resume"):
        if getattr(settings, name):
            flag = BY_NAME[name].flag
            raise DreamError(
                f"--optimiser adam holds its moments in the RAM of this process, and {flag} needs "
                "what lies in files; leave one of the two out"
            )


def _check_moments(settings, chosen, demand):
    """Refuse schedules by which pixels' steps differ in number, and pictures beyond RAM."""
    if settings.optimiser != "adam":
        return
    if chosen.schedule not in ("whole", "shift"):
        raise DreamError(
            "--optimiser adam takes as many steps on each pixel, and --schedule "
            f"{chosen.schedule} does not; take --schedule shift, or leave --optimiser out"
        )
    if not demand.in_ram:
        needed = demand.ram + demand.canvases
        raise DreamError(
            "--optimiser adam holds canvases and two moments of each pixel in RAM: the dream takes "
            f"{needed / (1 << 30):.2f}G; allow --memory {-(-needed // (1 << 20))}M, "
            f"{'' if settings.region else 'take a --region, '}or leave --optimiser out"
        )


def _rules(settings):
    """Return what shapes the gradients."""
    return GradientRules(
        smooth=parse_sigmas(settings.smooth) if settings.smooth else (),
        laplacian=settings.laplacian,
        tv=settings.tv,
        decay=settings.decay,
        anchor=settings.anchor,
        mask=settings.mask if settings.mask and settings.mask_on in ("steps", "both") else "",
        keep_forms=settings.keep_forms,
        normalise=settings.normalise,
        adam=settings.optimiser == "adam",
    )


def _finish(settings):
    """Return how the result is mixed with the undreamt picture."""
    mask = settings.mask if settings.mask and settings.mask_on in ("result", "both") else ""
    return Finish(settings.keep_colour, settings.strength, mask)


def _wanted(settings, side, direct):
    """Return what the user has chosen about tiles and storage.

    `side` is that of the network's input.
    """
    scripted = settings.script and settings.schedule in (None, "windows") and not direct
    wanted = memory_plan.Wanted(
        settings.schedule, settings.tile_size, settings.overlap, settings.wrap, settings.storage,
        settings.jitter, settings.clip, settings.memory,
        side if scripted or settings.schedule == "windows" else None,
        adam=settings.optimiser == "adam", in_files=bool(settings.work_dir or settings.resume),
    )  # fmt: skip
    if direct:  # its views move, the picture need not; and they end at its borders
        wanted = wanted._replace(
            wrap=settings.wrap or "none", jitter=_rolls(settings),
            best_tile=memory_plan.DIRECT_TILE, best_overlap=memory_plan.DIRECT_OVERLAP,
        )  # fmt: skip
    return wanted


def _rolls(settings):
    """Return how far direct ascent rolls a picture: where it closes, views must see across."""
    return memory_plan.DIRECT_ROLL if settings.wrap in ("horizontal", "both") else 0


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


def _check_reach(definition, settings, plan, windows):
    """Refuse octaves in which the network does not reach the layer."""
    if settings.script:  # it makes its octaves large enough, but not a region's part of them
        for (_, drawn, _), window in zip(plan, windows):
            if settings.region and drawn and misfit(definition, settings.end, *window[2:]):
                side = smallest_side(definition, settings.end)
                raise DreamError(
                    f"region {settings.region} is too small for the script: {window.width} x "
                    f"{window.height} pixels are left of one of its octaves, and the network takes "
                    f"{side} x {side} or more. Take a larger region, or leave --region out"
                )
        return
    try:
        check_octaves_fit(definition, settings.end, [window[2:] for window in windows])
    except DreamError as error:
        flags = [BY_NAME[name].flag for name in OF_OCTAVES if name in settings.given]
        if not settings.target or not flags:
            raise
        raise DreamError(
            f"{error}; or leave out {', '.join(flags)}: then the class is drawn by an octave "
            "script, which takes pictures of any size"
        ) from error


def check_count(chosen, sizes):
    """Refuse feathered tiles that are too many: each is placed by all before it.

    Parameters
    ----------
    chosen : dreamlib.tiling.memory_plan.Chosen
    sizes : list of (height, width)
        Of the octaves.
    """
    if chosen.schedule not in MOST_TILES:
        return
    for size in sizes:
        side = min(chosen.tile_size, *size)
        overlap, most = min(chosen.overlap, side // 2), MOST_TILES[chosen.schedule]
        count = math.prod(-(-(length - overlap) // (side - overlap)) for length in size)
        if count > most:
            raise DreamError(
                f"--schedule {chosen.schedule} would take {count} tiles of {side} x {side} pixels "
                f"in a picture of {size[1]} x {size[0]}, and takes {most} at most; take "
                "--schedule shift, or a larger --tile-size where the picture is not so narrow"
            )


def check_tiles(definition, end, chosen, sizes):
    """Refuse tiles in which the network does not reach the layer.

    Parameters
    ----------
    definition : caffe_pb2.NetParameter
    end : str
    chosen : dreamlib.tiling.memory_plan.Chosen
    sizes : list of (height, width)
        Of the octaves.
    """
    if chosen.schedule == "whole":
        return
    least = chosen.tile_size // 2 if chosen.schedule == "shift" else chosen.tile_size
    try:
        check_octaves_fit(
            definition, end, [(min(least, side[0]), min(least, side[1])) for side in sizes]
        )
    except DreamError as error:
        raise DreamError(
            f"tiles of {chosen.tile_size} pixels are too small for layer {end!r}: a piece of "
            f"{least} x {least} may be seen alone. Take a larger --tile-size, or a layer nearer "
            "to the input"
        ) from error

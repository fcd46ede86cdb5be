"""What a dream's files take in memory beside the dream: refused in words before it is taken."""

from __future__ import annotations

from dreamlib.ascent.guides import guide_bytes
from dreamlib.errors import DreamError
from dreamlib.imaging.open_save import reading_cost, writing_cost
from dreamlib.imaging.picture import Noise, Picture
from dreamlib.tiling import memory_plan
from dreamlib.util.memory import resident_memory

#: Bytes for each pixel of a film's frame beside its dream: levels of the frame before and of this
#: one, what distorts and corrects them, and the written one.
FRAME = 44


def besides(settings, picture, definition, specs, output, written):
    """Reckon what is not the dream itself.

    Parameters
    ----------
    settings : Settings
    picture : picture
        See `dreamlib.imaging.picture`; one in a file is still to be decoded.
    definition : caffe_pb2.NetParameter
    specs : list of ObjectiveSpec
        Of the octaves.
    output : str
    written : (height, width)

    Returns
    -------
    dreamlib.tiling.memory_plan.Besides
    """
    costs, alpha = [reading_cost(settings.mask)] if settings.mask else [], 0
    if not isinstance(picture, (Noise, Picture)):
        costs.append(reading_cost(picture.path, output, settings.tiff))
        alpha = costs[-1].size if picture.has_alpha else 0
    stages = [_reading(cost) for cost in costs]
    size = alpha + writing_cost(output, *written, picture, settings.tiff)
    stages.append(memory_plan.Stage(size, f"writing {output}", ", or write .tif or .png"))
    kept = 0
    for spec in dict.fromkeys(specs):
        guides = guide_bytes(definition, settings.engine, spec)
        hint = ", or take smaller guide pictures"
        stages.append(memory_plan.Stage(guides.making, f"seeing {guides.what}", hint, True))
        kept = max(kept, guides.kept)
    standing = FRAME * written[0] * written[1] if settings.frames else 0
    pixels = picture.height * picture.width
    return memory_plan.Besides(tuple(stages), kept, standing, pixels)


def _reading(cost):
    hint = ", or save it as TIFF, which is read by strips: vips copy IN OUT.tif"
    return memory_plan.Stage(cost.size, f"reading {cost.what}", hint)


def refuse_unreadable(settings, source, output=""):
    """Refuse a picture that opening would decode into more memory than there may be.

    What is decoded later is part of `besides`.

    Parameters
    ----------
    settings : Settings
    source, output : str

    Raises
    ------
    DreamError
        Says how much would do.
    """
    cost, taken = reading_cost(source, output, settings.tiff), resident_memory()
    budget = memory_plan.memory_budget(settings.memory, taken)
    if cost.at_opening and taken + cost.size > budget:
        stage = _reading(cost)
        stage = stage._replace(hint=f" or more{stage.hint}")
        raise DreamError(memory_plan.too_small(budget, taken, stage))


def refuse_frames(settings, source):
    """Refuse a film of a picture that is too large for one, before it is decoded.

    Parameters
    ----------
    settings : Settings
    source : str

    Raises
    ------
    DreamError
        Says how much would do, at least.
    """
    taken, cost = resident_memory(), reading_cost(source)
    budget = memory_plan.memory_budget(settings.memory, taken)
    stage = memory_plan.Stage(
        max(cost.size, FRAME * cost.pixels), f"a film of {cost.what}",
        " or more, since films are made in RAM, or take a smaller picture",
    )  # fmt: skip
    if taken + stage.size > budget:
        raise DreamError(memory_plan.too_small(budget, taken, stage))

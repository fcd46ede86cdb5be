"""What a dream's files take in memory beside the dream: refused in words before it is taken."""

from __future__ import annotations

import math

from dreamlib.ascent.build import MASK_PIXELS
from dreamlib.ascent.guides import guide_bytes
from dreamlib.errors import DreamError
from dreamlib.imaging.open_save import reading_cost, writing_cost
from dreamlib.imaging.picture import Noise, Picture
from dreamlib.jobs.growth import film_size
from dreamlib.tiling import memory_plan
from dreamlib.util.memory import resident_memory
from dreamlib.video.encode import assembling_memory


def besides(settings, picture, definition, specs, output, written, film=None):
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
    film : dreamlib.tiling.memory_plan.Besides, optional
        What the film takes that the dream is a frame of.

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
    kept = kept_masks = 0
    for path in dict.fromkeys(path for spec in specs for path in spec.masks):
        cost = reading_cost(path)
        stages.append(_reading(cost)._replace(everywhere=True))
        kept_masks += min(cost.pixels, MASK_PIXELS)
    for spec in dict.fromkeys(specs):
        guides = guide_bytes(definition, settings.engine, spec)
        hint = ", or take smaller guide pictures"
        stages.append(memory_plan.Stage(guides.making, f"seeing {guides.what}", hint, True))
        kept = max(kept, guides.kept)
    if settings.growth:
        size = assembling_memory(settings.growth, math.prod(film_size(*written)))
        stages.append(memory_plan.Stage(size, f"writing {settings.growth}", ", or leave it out"))
    film = film or memory_plan.Besides()
    pixels = picture.height * picture.width
    return memory_plan.Besides((*stages, *film.stages), kept + kept_masks, film.standing, pixels)


def of_film(standing, films, pixels, *more):
    """Reckon what a film takes beside the dreams of its frames.

    Parameters
    ----------
    standing : int
        Bytes that it holds all the time.
    films : list of str or Path
        That are written in the end.
    pixels : int
        Of a frame.
    *more : dreamlib.tiling.memory_plan.Stage

    Returns
    -------
    dreamlib.tiling.memory_plan.Besides
    """
    hint = ", or take a smaller picture"
    writing = [  # when frames are no longer held
        memory_plan.Stage(assembling_memory(film, pixels) - standing, f"writing {film}", hint)
        for film in films
    ]
    return memory_plan.Besides((*more, *writing), standing=standing)


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


def refuse_frames(settings, source, size):
    """Refuse frames that are too large for a film, before one is decoded.

    Parameters
    ----------
    settings : Settings
    source : str or Path
    size : int
        Bytes that it takes at least.

    Raises
    ------
    DreamError
        Says how much would do, at least.
    """
    taken = resident_memory()
    budget = memory_plan.memory_budget(settings.memory, taken)
    hint = " or more, since films are made in RAM, or take a smaller picture"
    stage = memory_plan.Stage(size, f"a film of {source}", hint)
    if taken + stage.size > budget:
        raise DreamError(memory_plan.too_small(budget, taken, stage))

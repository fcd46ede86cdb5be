"""The gradient of direct ascent: what one or several networks make of views of a picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dreamlib.ascent.direct import naturalise, to_values
from dreamlib.ascent.objectives import Objective
from dreamlib.ascent.views import Look, coverage, draw_view
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.util.progress import profile


class Judge(NamedTuple):
    """A network, and what it is to see."""

    network: object  #: `dreamlib.tiling.network.ArrayNetwork` or `TensorNetwork`
    rule: Preprocessing
    grid: tuple  #: (height, width) of its input
    end: str
    goals: list  #: of (objective, weight): each counts by its weight, however strong it is


def judge_of(net, network, end, objective):
    """Make a judge of a net.

    Parameters
    ----------
    net : caffe.Classifier
    network : dreamlib.tiling.network.ArrayNetwork or TensorNetwork
        The net's.
    end : str
    objective : Objective or callable
        As for `dreamlib.dream.make_step`; each term of an `Objective` is a goal of its own.

    Returns
    -------
    Judge
    """
    goals = [(objective, 1.0)]
    if isinstance(objective, Objective):
        goals = [(Objective([term._replace(weight=1.0)]), term.weight) for term in objective.terms]
    grid = tuple(int(side) for side in net.crop_dims)
    network.reserve(grid[0] * grid[1])
    return Judge(network, Preprocessing.of(net), grid, end, goals)


class Judges:
    """One or several networks that look at views of a picture.

    Parameters
    ----------
    judges : list of Judge
        The first is the main network, in whose values the picture is.
    """

    def __init__(self, judges):
        self._judges = judges
        self._main = judges[0]
        self._help = (None, None)

    @profile
    def gradient(self, image, direct, random, part_of):
        """Compute the gradient of direct ascent at a picture.

        Each goal has its own views, the same for all judges, and is measured by its own mean
        |gradient|, so that all of them show.

        Parameters
        ----------
        image : (3, h, w) ndarray or tensor of float32
            In the main network's values. Not changed.
        direct : Direct
        random : numpy.random.RandomState
        part_of : callable
            Given a mask of a term, returns the part of it that lies over `image`.

        Returns
        -------
        (3, h, w) ndarray or tensor of float32
            With respect to the values behind the pixels; a new one. Scratch of as much, and of five
            planes.
        """
        network, shape, side = self._main.network, tuple(image.shape[1:]), max(self._main.grid)
        goals = max(len(judge.goals) for judge in self._judges)
        count = -(-direct.count(shape, side) // goals) * goals
        views = [draw_view(random, direct.viewing, shape, side) for _ in range(count)]
        total = self._zeros(shape)
        for judge in self._judges:
            for number, (objective, weight) in enumerate(judge.goals):
                seen = self._zeros(shape)
                for view in views[number :: len(judge.goals)]:
                    self._look(judge, objective, view, image, seen, part_of)
                mean = network.mean_abs(seen)
                network.ascend(total, seen, weight, mean)
                del seen
        total *= self._helped(direct.viewing, shape, side)
        to_values(total, image, self._main.rule)
        naturalise(total, direct.spectrum, self._main.rule.order)
        return total

    def _look(self, judge, objective, view, image, gradient, part_of):
        """Add the gradient of a goal at a view, in place."""
        network, main, rule = judge.network, self._main.rule, judge.rule
        look = Look(view, image.shape[1:], judge.grid, max(self._main.grid), network.on_device)
        seen = look.at(image)
        levels = [None] * 3  # red, green and blue
        for plane, channel, mean in zip(seen, main.order, main.mean):
            plane *= 1 / float(main.scale)
            plane += float(mean)
            plane *= float(view.gain[channel])
            plane += float(view.shift[channel])
            levels[channel] = plane
        shown = network.picture(*judge.grid)
        noise = network.on_device(view.noise_of(judge.grid))
        inside = []
        for target, channel, mean in zip(shown, rule.order, rule.mean):
            plane = levels[channel]
            plane += noise[channel]
            inside.append((plane > 0) & (plane < 255))
            target[:] = plane.clip(0, 255)
            target -= float(mean)
            target *= float(rule.scale)

        def seen_of(mask):
            part = look.at(network.on_device(part_of(mask))[None])[0]
            return part if isinstance(part, np.ndarray) else part.cpu().numpy()

        found = network.gradient(shown, judge.end, objective, seen_of)
        back = [None] * 3
        for plane, channel, free in zip(found, rule.order, inside):
            plane *= free
            plane *= float(view.gain[channel])
            back[channel] = plane
        look.put_back([back[channel] for channel in main.order], gradient)

    def _zeros(self, shape):
        zeros = self._main.network.empty(3 * shape[0] * shape[1]).reshape(3, *shape)
        zeros[:] = 0
        return zeros

    def _helped(self, viewing, shape, side):
        """Return `coverage`, which is the same for every picture of a size."""
        key = (viewing, shape, side)
        if self._help[0] != key:
            factors = self._main.network.on_device(coverage(viewing, shape, side))
            self._help = (key, factors)
        return self._help[1]

"""Steps on tiles: from the canvas through the network and back.

A tile's pixels travel as the canvas holds them, unless it lies on the device that computes. On a
GPU the next tile is read and the last one written while the network runs.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from dreamlib.ascent.build import objective_of
from dreamlib.ascent.direct import step_values
from dreamlib.models.engines import load_net
from dreamlib.models.model import load_model
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.tiling.network import network_of
from dreamlib.tiling.quantize import Quantizer
from dreamlib.tiling.schedule import interior_of, interior_slices
from dreamlib.tiling.transfer import drawn_ahead, staying, travelling
from dreamlib.util.progress import profile


class Stepper:
    """Steps on the tiles of one dream with one net.

    Buffers are allocated for the largest tile so far and then kept.

    Parameters
    ----------
    net : caffe.Classifier
        Of any engine. Its blobs hold nothing of use afterwards.
    dream : dreamlib.tiling.octaves.Dream
    judges : sequence of caffe.Classifier
        Of `Dream.judges`.

    Attributes
    ----------
    quantizer : Quantizer
        Of the dream's canvases.
    """

    def __init__(self, net, dream, judges=()):
        self.quantizer = Quantizer(Preprocessing.of(net), dream.storage)
        self._net, self._dream, self._rules = net, dream, dream.gradient
        self._network, self._judge_nets = network_of(net), judges
        self._mask = self._direct = self._judges = self._moments = None
        if self._rules.mask:
            from dreamlib.ascent.mask import Mask

            self._mask = Mask.read(self._rules.mask)
        if self._rules.adam:
            from dreamlib.tiling.moments import Moments

            self._moments = Moments(self._network)
        self._spec, self._objective = None, None
        self._room, self._device, self._image = (0, 0, 0), None, None

    def steps(self, place, scale, tiles, canvas, target, base=None):
        """Step on tiles of a phase, several under way at a time.

        They change different pixels. Where `target` is `canvas` they must not see each other's
        either, since a tile is read before those ahead of it are written. Only one such generator
        may be open; one that is closed early leaves alone what it has not yielded.

        Parameters
        ----------
        place : dreamlib.tiling.octaves.Place
        scale : dreamlib.tiling.gradient_scale.Scale
        tiles : list of dreamlib.tiling.schedule.Tile
        canvas, target : dreamlib.tiling.canvas.Canvas
            Read; and where the tiles' interiors are written. They may be one.
        base : dreamlib.tiling.canvas.Canvas, optional
            The undreamt picture, where `Dream.needs_base`. It lies where the other two do: in RAM
            or files, or all of them on the device of a `TensorNetwork`.

        Yields
        ------
        position : int
            In `tiles`, in order; the tile has been written to `target`.
        sums : tuple of float
            Over the interior, before the first step: of the gradient's absolute values, then of the
            squares of each of its bands, if the rules split it.
        """
        if not tiles:
            return
        self._aim(place.octave)
        self._reserve(tiles, base is not None, canvas.device)
        if self._moments:
            self._moments.begin(place.octave, canvas)
        transfer = self._network.transfer
        try:
            fetched = (self._fetch(*item, canvas, base) for item in enumerate(tiles))
            begun = (
                self._begin(*item, canvas, place, scale)
                for item in drawn_ahead(fetched, transfer.ahead)
            )
            for position, tile, slot in drawn_ahead(begun, transfer.ahead):
                yield position, self._deliver(tile, slot, target)
        finally:
            transfer.synchronize()

    def measure(self, octave, tile, canvas):
        """Return the sums of a tile's first step as `steps` would, but change nothing.

        Parameters
        ----------
        octave : int
        tile : dreamlib.tiling.schedule.Tile
        canvas : dreamlib.tiling.canvas.Canvas

        Returns
        -------
        tuple of float
        """
        self._aim(octave)
        self._reserve([tile], False, canvas.device)
        _, _, slot = self._fetch(0, tile, canvas, None)
        self._network.transfer.wait(slot.arrival)
        image = self.quantizer.decode(slot.seen(slot.incoming, tile), self._picture(tile))
        part_of = self._part_of(octave, tile, canvas)
        sums, _ = self._shaped_gradient(image, tile, None, (octave, 0, 0), part_of)
        return tuple(sums.tolist())

    def _aim(self, octave):
        """Make the objective of an octave, before there is a picture in the net: guides run it."""
        made = self._dream.octaves[octave]
        spec, self._direct = made.objective, made.direct
        if spec != self._spec:
            self._objective = objective_of(self._net, spec)
            self._spec, self._judges = spec, None
        if self._direct and not self._judges:
            self._judges = self._all_judges()

    def _part_of(self, octave, tile, canvas):
        """Return what gives the part of a mask that lies over a tile's window."""
        made = self._dream.octaves[octave]  # the canvas may be a region of the masked picture
        top, left = (a + b for a, b in zip(tile.window[:2], made.window[:2]))
        there = tile.window._replace(top=top, left=left)
        return lambda mask: mask.part(there, made.size, canvas.wrap)

    def _all_judges(self):
        """Return the dream's own network and those beside it, as judges of views."""
        from dreamlib.tiling.judges import Judges, judge_of

        judges = [judge_of(self._net, self._network, self._spec.end, self._objective)]
        for net, (_, spec) in zip(self._judge_nets, self._dream.judges):
            judges.append(judge_of(net, network_of(net), spec.end, objective_of(net, spec)))
        return Judges(judges)

    # -- buffers ----------------------------------------------------------------------------------

    @profile
    def _reserve(self, tiles, with_base, device):
        """Allocate buffers for the largest of the tiles, unless there are such.

        `device` is where the canvases are.
        """
        pixels = max(tile.window.height * tile.window.width for tile in tiles)
        feathered = [tile.interior for tile in tiles if tile.row_weight is not None]
        lines = max([0] + [interior.height + interior.width for interior in feathered])
        wanted = (pixels, lines, pixels * with_base)
        enough = all(there >= needed for there, needed in zip(self._room, wanted))
        if enough and device == self._device and (self._image is not None) == bool(self._direct):
            return
        pixels, lines, base = (max(pair) for pair in zip(self._room, wanted))
        # What was there goes first: a GPU may have no room for both.
        self._slots = self._base = self._before = self._image = None
        self._room = (0, 0, 0)
        network = self._network
        if self._direct:
            self._image = network.empty(3 * pixels)  # the network's own takes the views
        else:
            network.reserve(pixels)
        self._base = network.empty(3 * base)
        self._before = network.empty(3 * pixels if lines else 0)
        # One tile is computed; others are fetched before it, and delivered after it.
        self._slots = [
            _Slot(
                network.transfer, self.quantizer.dtype.name, pixels, lines,
                1 + self._rules.bands, base, device,
            )
            for _ in range(2 * network.transfer.ahead + 1)
        ]  # fmt: skip
        network.transfer.synchronize()
        self._room, self._device = (pixels, lines, base), device

    def _picture(self, tile):
        if self._direct:
            return _planes(self._image, tile.window)
        return self._network.picture(tile.window.height, tile.window.width)

    # -- a tile's way -----------------------------------------------------------------------------

    def _fetch(self, position, tile, canvas, base):
        """Read a tile's pixels and send them to the device."""
        slot = self._slots[position % len(self._slots)]
        shape = (tile.window.height, tile.window.width, 3)
        count = shape[0] * shape[1] * 3
        canvas.read(tile.window, slot.incoming.host[:count].reshape(shape))
        parts = [(slot.incoming, count)]
        if base is not None:
            base.read(tile.window, slot.base.host[:count].reshape(shape))
            parts.append((slot.base, count))
        if tile.row_weight is not None:
            rows, columns = tile.interior.height, tile.interior.width
            slot.weights.host[:rows] = tile.row_weight
            slot.weights.host[rows : rows + columns] = tile.column_weight
            parts.append((slot.weights, rows + columns))
        slot.has_base = base is not None
        slot.arrival = self._network.transfer.upload(travelling(parts))
        return position, tile, slot

    @profile
    def _begin(self, position, tile, slot, canvas, place, scale):
        """Let the device step on a tile that is there or on its way, and send it back."""
        network, quantizer = self._network, self.quantizer
        strength, part_of = None, self._part_of(place.octave, tile, canvas)
        if self._mask:
            strength = network.on_device(part_of(self._mask))
        network.transfer.wait(slot.arrival)
        seen = slot.seen(slot.incoming, tile)
        image, base = quantizer.decode(seen, self._picture(tile)), None
        if slot.has_base:
            base = quantizer.decode(slot.seen(slot.base, tile), _planes(self._base, tile.window))
        sums = self._ascend(image, base, strength, tile, place, scale, part_of)
        inside, interior = interior_of(image, tile), tile.interior
        if tile.row_weight is not None:
            weights = slot.weights.device
            before = quantizer.decode(seen[interior_slices(tile)], _planes(self._before, interior))
            blend(
                inside, before, weights[: interior.height],
                weights[interior.height : interior.height + interior.width],
            )  # fmt: skip
        count = 3 * interior.height * interior.width
        out = slot.outgoing.device[:count].reshape(interior.height, interior.width, 3)
        quantizer.encode(inside, interior, self._dream.rounding(place), out)
        slot.sums.device[:] = sums
        parts = travelling([(slot.outgoing, count), (slot.sums, len(sums))])
        slot.arrival = network.transfer.download(parts)
        return position, tile, slot

    def _deliver(self, tile, slot, target):
        """Write a dreamt tile onto the canvas; return its sums."""
        self._network.transfer.finish(slot.arrival)
        height, width = tile.interior[2:]
        target.write(
            tile.interior, slot.outgoing.host[: 3 * height * width].reshape(height, width, 3)
        )
        return tuple(slot.sums.host.tolist())

    # -- on the device ----------------------------------------------------------------------------

    def _ascend(self, image, base, strength, tile, place, scale, part_of):
        """Take a tile's steps, in place; return the sums of the first."""
        network, rule = self._network, self.quantizer.rule
        step_size, sigma = self._dream.steps_of(place)
        made = []
        for number in range(self._dream.tile_steps):
            step = (place.octave, place.pass_, number)
            sums, gradient = self._shaped_gradient(image, tile, scale.deviations, step, part_of)
            made.append(sums)
            if scale.mean is None:
                mean = network.mean_abs(gradient)
            else:
                # On a tile gradients grow; the picture's mean is taken to grow with those of the
                # steps before this one.
                mean = network.grown(scale.mean, made[0][0], made[max(0, len(made) - 2)][0])
            # Adam would make up for a mask's strength, were it not put on the step itself.
            early, late = (None, strength) if self._moments else (strength, None)
            self._rules.steer(gradient, image, network.as_factor(mean), rule, base, early)
            if self._moments:
                time = place.pass_ * self._dream.tile_steps + number + 1
                self._moments.advance(gradient, tile, time, mean)
                if late is not None:
                    gradient *= late
            if self._moments or not self._rules.normalise:
                mean = 0 * mean + 1
            if self._direct:
                network.scale(gradient, rule.difference(step_size), mean)
                step_values(image, gradient, rule)
            else:
                network.ascend(image, gradient, rule.difference(step_size), mean)
            if sigma:
                _blur(image, sigma, base if self._dream.carry == "detail" else None)
            self._rules.hold(image, base, self._dream.scale_of(place.octave))
            if self._dream.clip:
                network.limit(image, rule.limits())
        with np.errstate(invalid="ignore"):  # what is no number in a later step is to show here
            return made[0] + 0 * sum(made)

    def _shaped_gradient(self, image, tile, deviations, step, part_of):
        """Return a tile's sums, and the gradient at it shaped by the rules.

        `step` are octave, pass and the tile's step in it, by which views are drawn; `part_of`
        returns the part of a mask that lies over the tile's window.
        """
        if self._direct:
            place = [number % 2**32 for number in (self._dream.seed, *step, *tile.window[:2])]
            random = np.random.RandomState(place)
            gradient = self._judges.gradient(image, self._direct, random, part_of)
        else:
            gradient = self._network.gradient(image, self._spec.end, self._objective, part_of)
        squares = self._rules.shape(gradient, deviations, interior_slices(tile))
        return self._network.sums(interior_of(gradient, tile), squares), gradient


def load_stepper(dream, gpu):
    """Load the network of a dream.

    Parameters
    ----------
    dream : dreamlib.tiling.octaves.Dream
    gpu : int or None
        CUDA device; None is the CPU.

    Returns
    -------
    Stepper

    Raises
    ------
    DreamError
        The model or the device is not there.
    """
    model = load_model(dream.model)
    if dream.fully_convolutional:
        from dreamlib.models.fully_convolutional import fully_convolutional

        model = fully_convolutional(model, dream.engine)
    net = load_net(model, dream.engine, gpu, dream.precision)
    judges = [
        load_net(load_model(judge.model), dream.engine, gpu, dream.precision)
        for judge in dream.judges
    ]
    return Stepper(net, dream, judges)


class _Slot:
    """The buffers of one tile that is under way."""

    def __init__(self, transfer, dtype, pixels, lines, sums, base, device):
        made = transfer.staging if device is None else partial(staying, device=device)
        self.incoming = made(3 * pixels, dtype)
        self.outgoing = made(3 * pixels, dtype)
        self.base = made(3 * base, dtype)
        self.weights = transfer.staging(lines, "float32")
        self.sums = transfer.staging(sums, "float64")
        self.arrival, self.has_base = None, False

    @staticmethod
    def seen(staging, tile):
        """View the device's side of a window's pixels, (h, w, 3)."""
        height, width = tile.window[2:]
        return staging.device[: 3 * height * width].reshape(height, width, 3)


def _planes(buffer, window):
    """View the start of a flat buffer as a (3, h, w) picture of a window's size."""
    return buffer[: 3 * window.height * window.width].reshape(3, window.height, window.width)


def blend(image, before, row_weight, column_weight):
    """Feather a dreamt picture into what was there before, in place.

    Parameters
    ----------
    image, before : (3, h, w) ndarray or tensor of float32
        `image` is changed, `before` is not.
    row_weight, column_weight : (h,) and (w,) ndarray or tensor of float32
        Their product is each pixel's weight in what it becomes.
    """
    image -= before
    image *= row_weight[:, None]
    image *= column_weight
    image += before


def _blur(image, sigma, sharp):
    """Blur a picture, in place, but not what `sharp` holds of it."""
    from dreamlib.imaging.filters import gaussian_blur

    if sharp is not None:
        image -= sharp
    gaussian_blur(image, sigma)
    if sharp is not None:
        image += sharp

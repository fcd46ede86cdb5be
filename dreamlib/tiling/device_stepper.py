"""A tile's turn on the network's device: what `dreamlib.tiling.stepper.Painter` does, on tensors.

Pixels travel as the canvas holds them. The first and the last step of the way, reading and writing
the canvas, run on the host while the device computes other tiles.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

import torch

from dreamlib.ascent.objectives import Objective, objective_L2
from dreamlib.models.preprocessing import Preprocessing
from dreamlib.pycaffe.device import current_device
from dreamlib.tiling.device_codec import DeviceEncoding
from dreamlib.tiling.quantize import Encoding
from dreamlib.tiling.stepper import blend, core_of, core_slices, strength_of
from dreamlib.tiling.transfer import lane_of
from dreamlib.util.profiling import profile


class DevicePainter:
    """Paints visits with one net of this engine.

    On the CPU the result has the bits of `Painter`'s. The blobs ``data`` and ``diff`` of the
    network's input hold nothing of use after a visit. Buffers are allocated for the largest window
    so far and then kept.

    Parameters
    ----------
    net : dreamlib.pycaffe.Classifier
    dtype : {uint8, uint16, float32}
        Of the canvases.
    end, step_size, clip, objective
        As for `dreamlib.dream.make_step`. Other objectives than `objective_L2` act on the blob's
        arrays, for which the activations travel to the host and their gradient back.
    steps : int
        Steps of ascent in a visit.
    looks : dreamlib.ascent.regularizers.Looks, optional
        What is done to gradients.

    Attributes
    ----------
    encoding : dreamlib.tiling.quantize.Encoding
    """

    def __init__(
        self, net, dtype, end, step_size=1.5, clip=True, objective=objective_L2, steps=1, looks=None
    ):
        self.encoding = Encoding(Preprocessing.of(net), dtype)
        self._net, self._end, self._objective = net, end, objective
        self._step_size, self._clip, self._steps = step_size, clip, steps
        self._looks = looks
        self._layer = None if isinstance(objective, Objective) else net._index(end, None)
        self._lane, self._room = None, None

    def paint(self, visit, *args, **kwargs):
        """Dream a tile: parameters and result are those of `Painter.paint`."""
        [(_, sums)] = self.paint_many([visit], *args, **kwargs)
        return sums

    def paint_many(self, visits, canvas, target, mean_gradient, turn, deviations=None, base=None):
        """Dream tiles of a phase, several under way at a time.

        They change different pixels. Where `target` is `canvas` they must not see each other's
        either, since a tile is read before those ahead of it are written.

        Only one such generator of a painter may be open. One that is closed early leaves alone
        what it has not yielded.

        Parameters
        ----------
        visits : list of dreamlib.tiling.schedule.Visit
        canvas, target, mean_gradient, turn, deviations, base
            As for `Painter.paint`.

        Yields
        ------
        position : int
            In `visits`, in order; the tile has been written to `target`.
        sums : tuple of float
            What `Painter.paint` returns.
        """
        if not visits:
            return
        self._reserve(visits)
        ahead = self._lane.ahead
        try:
            read = (self._fetch(*item, canvas, base) for item in enumerate(visits))
            begun = (
                self._begin(*item, canvas, mean_gradient, turn, deviations)
                for item in drawn_ahead(read, ahead)
            )
            for position, visit, slot in drawn_ahead(begun, ahead):
                yield position, self._deliver(visit, slot, target)
        finally:
            self._lane.settle()

    def measure(self, visit, canvas):
        """Return what `paint` would, but leave the picture as it is."""
        self._reserve([visit])
        _, _, slot = self._fetch(0, visit, canvas)
        self._lane.wait(slot.arrival)
        gradient = self._gradient(self._decoded(slot.planes(slot.incoming, visit), self._image))
        return tuple(self._sums(gradient, visit).tolist())

    # -- buffers ----------------------------------------------------------------------------------

    @profile
    def _reserve(self, visits):
        """Allocate buffers for the largest of the visits, unless there are such."""
        pixels = max(visit.window.height * visit.window.width for visit in visits)
        feathered = [visit.core for visit in visits if visit.row_weight is not None]
        lines = max([0] + [core.height + core.width for core in feathered])
        device = current_device()
        if self._lane is None or self._lane.device != device:
            self._lane, self._room = lane_of(device), (0, 0)
        if pixels <= self._room[0] and lines <= self._room[1]:
            return
        pixels, lines = max(pixels, self._room[0]), max(lines, self._room[1])
        # What was there goes first: a GPU may have no room for both.
        self._slots = self._image = self._base = self._before = self._codec = None
        self._room = (0, 0)
        self._image = torch.empty(3 * pixels, device=device)
        pulls = self._looks is not None and self._looks.pull_base
        self._base = torch.empty(3 * pixels if pulls else 0, device=device)
        self._before = torch.empty(3 * pixels if lines else 0, device=device)
        self._codec = DeviceEncoding(self.encoding, device, pixels)
        self._limits = [
            torch.as_tensor(limit, device=device)[:, None, None]
            for limit in self.encoding.rule.limits()
        ]
        sums = 1 + (self._looks.bands if self._looks else 0)
        # One tile is computed; so many are being fetched before it, and delivered after it.
        self._slots = [
            _Slot(
                self._lane, self._codec.carrier, pixels, lines, self.encoding.dtype, sums,
                self._base.numel(),
            )
            for _ in range(2 * self._lane.ahead + 1)
        ]  # fmt: skip
        self._lane.settle()
        self._room = (pixels, lines)

    # -- a tile's way -----------------------------------------------------------------------------

    def _fetch(self, position, visit, canvas, base=None):
        """Read a tile's pixels and send them to the device."""
        slot = self._slots[position % len(self._slots)]
        window = visit.window
        shape = (window.height, window.width, 3)
        canvas.read(window, slot.pixels(slot.incoming, shape))
        parts = [(slot.incoming, 3 * window.height * window.width)]
        if base is not None:
            base.read(window, slot.pixels(slot.base, shape))
            parts.append((slot.base, 3 * window.height * window.width))
        if visit.row_weight is not None:
            rows, columns = visit.core.height, visit.core.width
            weights = slot.weights.host.numpy()
            weights[:rows], weights[rows : rows + columns] = visit.row_weight, visit.column_weight
            parts.append((slot.weights, rows + columns))
        slot.arrival = self._lane.upload(parts)
        return position, visit, slot

    @profile
    def _begin(self, position, visit, slot, canvas, mean_gradient, turn, deviations):
        """Let the device dream a tile that is there or on its way, and send it back."""
        strength = strength_of(self._looks, visit, canvas)
        self._lane.wait(slot.arrival)
        incoming = slot.planes(slot.incoming, visit)
        image, undreamt = self._decoded(incoming, self._image), None
        if self._base.numel():
            undreamt = self._decoded(slot.planes(slot.base, visit), self._base)
        if strength is not None:
            strength = torch.as_tensor(strength, device=image.device)
        sums = []
        for _ in range(self._steps):
            gradient = self._gradient(image)
            sums.append(self._sums(gradient, visit, deviations))
            # As in `Painter.paint`: the mean grows with the gradients of steps before this one.
            growth = 1.0
            if len(sums) > 1:
                first, last = sums[0][0], sums[-2][0]
                growth = torch.where(first > 0, last / first, 1.0)
            if mean_gradient is None:
                mean = self._lane.mean_abs(gradient)
            else:
                mean = mean_gradient * torch.as_tensor(growth, dtype=torch.float64)
            if self._looks:
                rule = self.encoding.rule
                self._looks.steer(gradient, image, mean.float(), rule, undreamt, strength)
            self._ascend(image, gradient, mean)
        (_, _, height, width), core = visit.core, core_of(image, visit)
        if visit.row_weight is not None:
            weights = slot.weights.device
            before = self._before[: core.numel()].view_as(core)
            self._codec.decode(core_of(incoming, visit), before)
            blend(core, before, weights[:height], weights[height : height + width])
        out = slot.outgoing.device[: core.numel()].view(height, width, 3)
        self._codec.encode(core, visit.core, turn, out)
        slot.sums.device.copy_(sums[0])
        parts = [(slot.outgoing, core.numel()), (slot.sums, slot.sums.device.numel())]
        slot.arrival = self._lane.download(parts)
        return position, visit, slot

    def _deliver(self, visit, slot, target):
        """Write a dreamt tile onto the canvas; return its sums."""
        self._lane.finish(slot.arrival)
        shape = (visit.core.height, visit.core.width, 3)
        target.write(visit.core, slot.pixels(slot.outgoing, shape))
        return tuple(slot.sums.host.tolist())

    # -- on the device ----------------------------------------------------------------------------

    def _decoded(self, planes, buffer):
        """Turn a tile's pixels into the network's values (3, h, w), in the buffer for them."""
        image = buffer[: planes.numel()].view(planes.shape)
        self._codec.decode(planes, image)
        return image

    def _sums(self, gradient, visit, deviations=None):
        """Do what `Painter._sums` does; the sums are a tensor of float64."""
        squares = []
        if self._looks:
            squares = self._looks.shape(gradient, deviations, core_slices(visit))
        total = self._lane.sum_abs(core_of(gradient, visit))
        return torch.stack([total, *(square.double() for square in squares)])

    @profile
    def _gradient(self, image):
        """Return the objective's gradient at a picture (3, h, w): float32, the caller's to change.

        Unlike `Net.forward` and `Net.backward` this asks for no arrays, so nothing leaves the
        device and nothing waits for it.
        """
        source = self._net.blobs["data"]
        source.reshape(1, *image.shape)
        source.data_memory.put(image[None])
        if isinstance(self._objective, Objective):
            self._objective.climb(Tensors(self._net))
            return source.diff_memory.tensor()[0].float().contiguous()
        end = self._net.blobs[self._end]
        self._net._forward(0, self._layer)
        if self._objective is objective_L2:
            # A copy, since a layer in place writes its gradient over the one it is given.
            end.diff_memory.put(end.data_memory.tensor().clone())
        else:
            self._objective(end)
        self._net._backward(self._layer, 0)
        return source.diff_memory.tensor()[0].float().contiguous()

    def _ascend(self, image, gradient, mean):
        """Take `make_step`'s step without asking the device how large it is; changes both."""
        # Not number / tensor, which PyTorch takes for number * (1 / tensor) and rounds twice.
        change = torch.as_tensor(self.encoding.rule.difference(self._step_size), dtype=mean.dtype)
        scale = torch.div(change, mean)
        gradient *= torch.where(mean > 0, scale, 0.0)  # with a mean of zero there is no way up
        image += gradient
        if self._clip:
            image.clamp_(*self._limits)


class Tensors:
    """Passes through a net of this engine, on the tensors of its blobs: see `objectives.Arrays`."""

    def __init__(self, net):
        self.net = net

    def forward(self, index):
        """Run the layers up to an index."""
        self.net._forward(0, index)

    def backward(self, start, end):
        """Run the layers from an index down to another, both included."""
        self.net._backward(start, end)

    def clear(self, blobs):
        """Set the diffs of blobs to zero."""
        for name in blobs:
            memory = self.net.blobs[name].diff_memory
            memory.put(torch.zeros_like(memory.tensor()))

    def add(self, term):
        """Add a term's gradient to its blob's diff."""
        blob = self.net.blobs[term.layer]
        # A copy, since layers share what they hand down.
        diff = blob.diff_memory.tensor().clone()
        term.add_gradient(blob.data_memory.tensor(), diff, term.weight)
        blob.diff_memory.put(diff)


class _Slot:
    """The buffers of one tile that is under way."""

    def __init__(self, lane, carrier, pixels, lines, dtype, sums, base):
        self.incoming = lane.parcel(3 * pixels, carrier)
        self.outgoing = lane.parcel(3 * pixels, carrier)
        self.weights = lane.parcel(lines, torch.float32)
        self.base = lane.parcel(base, carrier)
        self.sums = lane.parcel(sums, torch.float64)
        self.arrival = None
        self._dtype = dtype

    def planes(self, parcel, visit):
        """View the device's side of a window's pixels as (3, h, w), in the canvas's order."""
        height, width = visit.window.height, visit.window.width
        pixels = parcel.device[: 3 * height * width].view(height, width, 3)
        return pixels.permute(2, 0, 1)

    def pixels(self, parcel, shape):
        """View the host's side of a parcel as a canvas's pixels."""
        count = shape[0] * shape[1] * shape[2]
        return parcel.host[:count].numpy().view(self._dtype).reshape(shape)


def drawn_ahead(items, count):
    """Yield the items of an iterable, each after `count` more have been drawn."""
    items = iter(items)
    drawn = deque(islice(items, count))
    for item in items:
        drawn.append(item)
        yield drawn.popleft()
    yield from drawn

"""The dream of a picture of any size: octaves, passes, phases, visits.

The notebook's loop on a canvas. With a `whole` schedule and float32 canvases it gives the bits of
`dreamlib.dream.deepdream`; with tiles the network sees a window at a time, and nothing but canvases
grows with the picture.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from dreamlib.dream import Step
from dreamlib.imaging.window import Window
from dreamlib.tiling.gradient_scale import GradientScale
from dreamlib.tiling.pyramid import Pyramid
from dreamlib.tiling.schedule import Schedule
from dreamlib.util.profiling import phase
from dreamlib.util.progress import LEAVE, Left

#: Seconds between two records of where the dream is, within a phase.
CHECKPOINT = 60

#: Tiles that an octave's first estimate of the mean |gradient| is measured on: this share of a
#: pass, within these bounds.
SAMPLE_SHARE, SAMPLE_LEAST, SAMPLE_MOST = 1 / 4, 2, 16

#: Pixels around a region that are dreamt with it: the network's view, and the taps of resampling;
#: and what its corner is a multiple of, so that the network's strides meet it as they do the whole.
CONTEXT, STRIDE = 128, 32


@dataclass
class State:
    """Where a dream is; with the canvases, all that is needed to go on.

    Random numbers need no place here: they follow from seed, octave and pass.
    """

    octave: int = 0
    turn: int = 0  #: pass on this octave
    phase: int = 0
    done: dict = field(default_factory=dict)  #: visit of the phase -> what it reported
    applying: bool = False  #: the phase is painted; its tiles are being copied onto the canvas
    loudness: GradientScale = field(default_factory=GradientScale)


class Dreamer:
    """Dreams one picture.

    Parameters
    ----------
    source : dreamlib.imaging.resample.Stored
        The undreamt picture.
    sizes : list of (height, width)
        The octaves, smallest first.
    frames : list of Window
        The part of each octave that is dreamt: see `whole_frames` and `region_frames`.
    closed : (bool, bool)
        Axes on which octaves are resampled as rings: see `dreamlib.imaging.resample.Resized`.
    settings : dreamlib.settings.Settings
        With nothing left open.
    encoding : dreamlib.tiling.quantize.Encoding
        Of the canvases.
    crew : dreamlib.tiling.workers.Alone or dreamlib.tiling.workers.Crew
        Who paints.
    store : dreamlib.tiling.work_folder.InMemory or dreamlib.tiling.work_folder.WorkFolder
        Where canvases lie and the state is kept.
    progress : dreamlib.util.progress.Progress
        Called with a `Step` after every visit; where it returns True the dream ends early, and
        where it returns `LEAVE` it is left.
    on_canvas : callable, optional
        Called with the canvas between phases, when no one changes it.
    """

    def __init__(
        self,
        source,
        sizes,
        frames,
        closed,
        settings,
        encoding,
        crew,
        store,
        progress,
        on_canvas=None,
    ):
        self._frames, self._settings, self._crew, self._store = frames, settings, crew, store
        self._progress, self._on_canvas = progress, on_canvas
        self._passes = -(-settings.iterations // settings.tile_steps)
        self._pyramid = Pyramid(source, sizes, frames, closed, encoding, store, self._passes)

    def run(self):
        """Dream all octaves.

        Returns
        -------
        dreamlib.tiling.canvas.Canvas
            Of the picture's full size, also where the dream was ended early.

        Raises
        ------
        Left
            Where the dream is to be left: its state is kept.
        """
        state = self._store.load_state() or State()
        self._pyramid.drop_unfinished()
        self._progress.skip(self._steps_before(state))
        for octave in range(state.octave, len(self._frames)):
            phase(f"octave {octave + 1}/{len(self._frames)}")
            canvas = self._pyramid.canvas(octave)
            if octave != state.octave:
                state = State(octave)
            self._store.save(state)
            self._pyramid.drop(octave - 1)
            stop = self._paint_octave(state, canvas)
            self._pyramid.drop_base(octave)  # before there are larger ones
            if stop == LEAVE:
                raise Left
            if stop:
                return self._pyramid.at_full_size(canvas, octave)
        return canvas

    def _steps_before(self, state):
        """Count the pixel-steps that a dream to be resumed has made."""
        pixels = [frame.height * frame.width for frame in self._frames]
        count = sum(pixels[: state.octave]) * self._passes + pixels[state.octave] * state.turn
        if state.phase or state.done:
            size = self._frames[state.octave][2:]
            phases = octave_schedule(self._settings, size, state.octave).phases(state.turn)
            made = [visit for phase in phases[: state.phase] for visit in phase]
            made += [phases[state.phase][index] for index in state.done]
            count += sum(visit.pixels for visit in made)
        return count

    # -- steps ------------------------------------------------------------------------------------

    def _paint_octave(self, state, canvas):
        """Make an octave's passes; return whether the dream is ended early, or left."""
        size = self._frames[state.octave][2:]
        schedule = octave_schedule(self._settings, size, state.octave)
        base = None
        if self._settings.pull_base and state.turn < self._passes:
            base = self._pyramid.base(state.octave)
        while state.turn < self._passes:
            phases = schedule.phases(state.turn)
            one_visit = len(phases) == len(phases[0]) == 1
            if state.loudness.unknown and not one_visit:
                self._sample(state, phases, canvas)
            while state.phase < len(phases):
                visits = phases[state.phase]
                shadow = self._store.shadow(size, len(visits))
                loudness = (None, None)  # of the visit itself
                if not one_visit:
                    loudness = state.loudness.value(size[0] * size[1])
                if not state.applying:
                    stop = self._paint(state, visits, canvas, shadow, loudness, base)
                    if stop:
                        return stop
                self._apply(state, visits, canvas, shadow)
            state.turn, state.phase = state.turn + 1, 0
            state.loudness.end_pass()
        self._store.save(state)
        return False

    def _sample(self, state, phases, canvas):
        """Measure how loud the gradient is on tiles from all over the first pass."""
        places = [
            (phase, index) for phase, visits in enumerate(phases) for index in range(len(visits))
        ]
        wanted = min(max(round(len(places) * SAMPLE_SHARE), SAMPLE_LEAST), SAMPLE_MOST, len(places))
        # Evenly spread over the sequence, which goes through the picture once a phase.
        sample = [
            places[(2 * number + 1) * len(places) // (2 * wanted)] for number in range(wanted)
        ]
        sums = dict(self._crew.measure(state.octave, state.turn, phases, sample, canvas))
        cores = [phases[phase][index].core for phase, index in sample]
        state.loudness.take_sample(  # in this order: a sum depends on it
            [(sums[place], core.height * core.width) for place, core in zip(sample, cores)]
        )

    def _paint(self, state, visits, canvas, shadow, loudness, base):
        """Paint what is left of a phase; return whether the dream is ended early, or left."""
        place = (state.octave, state.turn, state.phase)
        left = [index for index in range(len(visits)) if index not in state.done]
        rounding = state.octave * self._passes + state.turn
        if visits[0].row_weight is not None:
            rounding += state.phase  # an overlap is rounded more than once in a pass
        recorded = time.monotonic()
        mean, deviations = loudness
        painting = self._crew.paint(
            place, visits, left, canvas, shadow or canvas, mean, rounding, deviations, base
        )
        for index, sums in painting:
            state.done[index] = sums
            step = Step(
                state.octave, state.turn, self._settings.end, canvas.shape[:2],
                visits[index].pixels,
            )  # fmt: skip
            stop = self._progress(step)
            if time.monotonic() - recorded > CHECKPOINT or stop:
                recorded = time.monotonic()
                self._store.save(state, shadow)
            if stop:
                painting.close()
                return stop
        return False

    def _apply(self, state, visits, canvas, shadow):
        """Copy a phase's tiles onto the canvas, so that a death at any moment can be mended."""
        if shadow:
            if not state.applying:
                state.applying = True
                self._store.save(state, shadow)
            for visit in visits:
                canvas.write(visit.core, shadow.read(visit.core))
        for index, visit in enumerate(visits):  # in this order: a sum depends on it
            state.loudness.add(state.done[index], visit.core.height * visit.core.width)
        state.phase, state.done, state.applying = state.phase + 1, {}, False
        self._store.save(state, canvas)
        if self._on_canvas:
            self._on_canvas(canvas, state.octave)


def whole_frames(sizes):
    """Return the frames of octaves that are dreamt as a whole."""
    return [Window(0, 0, height, width) for height, width in sizes]


def region_frames(sizes, region):
    """Return the frames of a region, with the context that it is dreamt in.

    Parameters
    ----------
    sizes : list of (height, width)
        The octaves, smallest first.
    region : Window
        In the last octave.

    Returns
    -------
    list of Window
        The same part of each octave, and `CONTEXT` pixels around it as far as there are any.
    """
    frames = []
    for size in sizes:
        edges = []
        for start, length, side, full in zip(region[:2], region[2:], size, sizes[-1]):
            first = (start * side // full - CONTEXT) // STRIDE * STRIDE
            last = -(-(start + length) * side // full) + CONTEXT
            edges.append((max(0, first), min(side, last)))
        (top, bottom), (left, right) = edges
        frames.append(Window(top, left, bottom - top, right - left))
    return frames


def octave_schedule(settings, size, octave):
    """Return the `Schedule` of an octave of `size` (height, width)."""
    return Schedule(
        settings.schedule, size, settings.tile_size, settings.overlap, settings.wrap,
        settings.jitter, settings.seed, octave, settings.iterations,
    )  # fmt: skip

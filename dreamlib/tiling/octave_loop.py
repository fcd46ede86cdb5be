"""The loop of every dream: octaves, passes, phases, tiles.

The notebook's loop on a canvas. With a `whole` schedule and float32 canvases it gives the bits of
`dreamlib.dream.deepdream`; with tiles the network sees a window at a time, and nothing but canvases
grows with the picture.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from dreamlib.dream import Step
from dreamlib.errors import DreamError
from dreamlib.tiling.gradient_scale import OWN_SCALE, GradientScale
from dreamlib.tiling.octaves import Place
from dreamlib.tiling.pyramid import Pyramid
from dreamlib.util.progress import LEAVE, Left, phase

#: Seconds between two records of where the dream is, within a phase.
CHECKPOINT = 60

#: The notebook's mean change of a pixel in a step, in grey levels.
USUAL_STEP = 1.5

#: Tiles that an octave's first estimate of the mean |gradient| is measured on: this share of a
#: pass, within these bounds.
SAMPLE_SHARE, SAMPLE_LEAST, SAMPLE_MOST = 1 / 4, 2, 16


@dataclass
class State:
    """Where a dream is; with the canvases, all that is needed to resume it.

    Random numbers need no place here: they follow from seed, octave and pass.
    """

    octave: int = 0
    pass_: int = 0  #: on this octave
    phase: int = 0
    done: dict = field(default_factory=dict)  #: tile of the phase -> its sums
    applying: bool = False  #: all tiles are done and are being copied onto the canvas
    scale: GradientScale = field(default_factory=GradientScale)

    @property
    def has_changed(self):
        """Whether the octave's canvas is not as it was made any more."""
        return bool(self.pass_ or self.phase or self.applying)

    @property
    def place(self):
        """The phase that is under way."""
        return Place(self.octave, self.pass_, self.phase)


def drained(steps):
    """Go through all that a generator yields; return what it returns.

    Parameters
    ----------
    steps : generator

    Returns
    -------
    object
    """
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


class OctaveLoop:
    """Dreams one picture.

    Parameters
    ----------
    source : dreamlib.tiling.pyramid.Stored
        The undreamt picture.
    dream : dreamlib.tiling.octaves.Dream
    quantizer : dreamlib.tiling.quantize.Quantizer
        Of the canvases.
    workers : dreamlib.tiling.in_process.InProcess or dreamlib.tiling.workers.Workers
        Who takes the steps.
    store : dreamlib.tiling.canvas.InMemory or dreamlib.tiling.work_folder.WorkFolder
        Where canvases lie and the state is kept.
    progress : dreamlib.util.progress.Progress
        Called with a `Step` after every tile; where it returns True the dream ends early, and
        where it returns `LEAVE` it is left.
    watching : sequence of callable
        Called with the canvas, the octave, and whether a pass has ended, between phases, when no
        one changes it.

    Attributes
    ----------
    taken, still : int
        Steps on tiles, and those of them without a gradient.
    resumed : bool
        Whether a run before has taken others.
    """

    def __init__(self, source, dream, quantizer, workers, store, progress, watching=()):
        self._dream, self._workers, self._store = dream, workers, store
        self._progress, self._watching = progress, watching
        self._quantizer = quantizer
        self._pyramid = Pyramid(source, dream, quantizer, store)
        self.taken, self.still, self.resumed = 0, 0, False

    def run(self):
        """Dream all octaves; return what `passes` returns, and raise what it raises."""
        return drained(self.passes())

    def passes(self):
        """Dream all octaves, pass by pass.

        Yields
        ------
        canvas : dreamlib.tiling.canvas.Canvas
            Of the octave, after each of its passes; the next one changes it.
        quantizer : dreamlib.tiling.quantize.Quantizer
            Of its pixels.
        octave, passes : int
            Its number, from 0, and how many of its passes are made.

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
        self.resumed = bool(state.octave or state.has_changed or state.done)
        count = len(self._dream.octaves)
        for octave in range(state.octave, count):
            phase(f"octave {octave + 1}/{count}")
            if octave != state.octave:
                state = State(octave)
            canvas = self._pyramid.canvas(octave, state.has_changed)
            self._store.save(state)
            self._pyramid.drop(octave - 1)
            stop = yield from self._dream_octave(state, canvas)
            self._pyramid.drop_base(octave)  # before there are larger ones
            if stop == LEAVE:
                raise Left
            if stop:
                return self._pyramid.at_full_size(canvas, octave)
        return canvas

    def _steps_before(self, state):
        """Count the pixel-steps that a dream to be resumed has made."""
        pixels = [octave.window.height * octave.window.width for octave in self._dream.octaves]
        count = sum(
            area * self._dream.passes(octave) for octave, area in enumerate(pixels[: state.octave])
        )
        count += pixels[state.octave] * state.pass_
        if state.phase or state.done:
            phases = self._dream.schedule(state.octave).phases(state.pass_)
            made = [tile for phase in phases[: state.phase] for tile in phase]
            made += [phases[state.phase][index] for index in state.done]
            count += sum(tile.pixels for tile in made)
        return count

    # -- steps ------------------------------------------------------------------------------------

    def _dream_octave(self, state, canvas):
        """Make an octave's passes, as `passes` yields them.

        Returns whether the dream is ended early, or left.
        """
        size, passes = canvas.shape[:2], self._dream.passes(state.octave)
        schedule = self._dream.schedule(state.octave)
        base = None
        if self._dream.needs_base(state.octave) and state.pass_ < passes:
            base = self._pyramid.base(state.octave)
        while state.pass_ < passes:
            phases = schedule.phases(state.pass_)
            own = schedule.measures_itself(phases)
            if state.scale.unknown and not own:
                self._sample(state, phases, canvas)
            while state.phase < len(phases):
                tiles = phases[state.phase]
                back_buffer = self._store.back_buffer(state.place, size, len(tiles))
                if not state.applying:
                    scale = OWN_SCALE if own else state.scale.value(size[0] * size[1])
                    stop = self._step(state, tiles, canvas, back_buffer, scale, base)
                    if stop:
                        return stop
                self._apply(state, tiles, canvas, back_buffer)
                for watch in self._watching:
                    watch(canvas, state.octave, state.phase == len(phases))
            state.pass_, state.phase = state.pass_ + 1, 0
            state.scale.end_pass()
            if (state.octave, state.pass_) == (0, 1) and not self._dream.gradient.normalise:
                self._tell_length(state.scale.mean.last)
            yield canvas, self._quantizer, state.octave, state.pass_
        self._store.save(state)
        return False

    def _tell_length(self, mean):
        """Say how long the first steps were: without the mean nobody could know before."""
        length, _ = self._dream.steps_of(Place(0, 0, 0))
        if mean:
            self._progress.say(
                f"--no-normalise: the mean |gradient| is {mean:.3g}, so the first step changed a "
                f"pixel by {length * mean:.3g} grey levels on average; --step-size "
                f"{USUAL_STEP / mean:.2g} would do so by {USUAL_STEP}"
            )

    def _sample(self, state, phases, canvas):
        """Measure how strong the gradient is on tiles from all over the first pass."""
        places = [
            (phase, index) for phase, tiles in enumerate(phases) for index in range(len(tiles))
        ]
        wanted = min(max(round(len(places) * SAMPLE_SHARE), SAMPLE_LEAST), SAMPLE_MOST, len(places))
        # Evenly spread over the sequence, which goes through the picture once a phase.
        sample = [
            places[(2 * number + 1) * len(places) // (2 * wanted)] for number in range(wanted)
        ]
        sums = dict(self._workers.measure(state.octave, state.pass_, phases, sample, canvas))
        for measured in sums.values():
            self._check(measured, state.place)
        interiors = [phases[phase][index].interior for phase, index in sample]
        state.scale.take_sample(  # in this order: a sum depends on it
            [(sums[place], area.height * area.width) for place, area in zip(sample, interiors)]
        )

    def _step(self, state, tiles, canvas, back_buffer, scale, base):
        """Step on the tiles left of a phase; return whether the dream is ended early, or left."""
        left = [index for index in range(len(tiles)) if index not in state.done]
        end = self._dream.octaves[state.octave].objective.end
        recorded = time.monotonic()
        stepping = self._workers.steps(
            state.place, scale, tiles, left, canvas, back_buffer or canvas, base
        )
        for index, sums in stepping:
            self._check(sums, state.place)
            state.done[index] = sums
            self.taken += 1
            self.still += not sums[0]
            step = Step(state.octave, state.pass_, end, canvas.shape[:2], tiles[index].pixels)
            stop = self._progress(step)
            if time.monotonic() - recorded > CHECKPOINT or stop:
                recorded = time.monotonic()
                made = {index: tiles[index].interior for index in state.done}
                self._store.save(state, back_buffer, made)
            if stop:
                stepping.close()
                return stop
        return False

    def _check(self, sums, place):
        """Refuse to go on from a gradient that is no number somewhere: its sum is none, either."""
        if all(map(math.isfinite, sums)):
            return
        dream = self._dream
        advice = "its weights, or those of the objective, are too large: take smaller ones"
        if dream.precision == "float16":
            advice = "numbers above 65504 overflow in float16: take --precision bfloat16"
        raise DreamError(
            f"the dream of layer {dream.octaves[place.octave].objective.end!r} ended at step "
            f"{place.pass_ + 1} of octave {place.octave + 1}: the gradient is NaN or infinite, and "
            f"the picture would be black. In the network {advice}"
        )

    def _apply(self, state, tiles, canvas, back_buffer):
        """Copy a phase's tiles onto the canvas, so that a death at any moment can be mended."""
        interiors = {index: tile.interior for index, tile in enumerate(tiles)}
        if back_buffer:
            if not state.applying:
                state.applying = True
                self._store.save(state, back_buffer, interiors)
            for tile in tiles:
                canvas.copy(tile.interior, back_buffer)
        for index, tile in enumerate(tiles):  # in this order: a sum depends on it
            area = tile.interior.height * tile.interior.width
            state.scale.add(state.done[index], area)
        state.phase, state.done, state.applying = state.phase + 1, {}, False
        self._store.save(state, canvas, interiors)

"""Steps of workers that need no network."""

import os

from tests.dreams import FakeStepper


def load(dream, gpu):
    """Make a stepper, by its process's environment.

    STUB_PAUSE are seconds that it takes for a tile; with STUB_BITS it measures otherwise.
    """
    stepper = FakeStepper(dream, float(os.environ.get("STUB_PAUSE", 0)))
    if "STUB_BITS" in os.environ:
        stepper.measure = lambda *_: (os.getpid(),)
    return stepper


class Deadly(FakeStepper):
    """Ends its process on one of the tiles, as a machine does that runs out of memory."""

    def _step(self, place, scale, tile, canvas, target, base):
        if tile.interior[:2] == (0, 0):
            print("no memory is left", flush=True)
            os._exit(7)
        return super()._step(place, scale, tile, canvas, target, base)


def load_deadly(dream, gpu):
    """Make such a stepper."""
    return Deadly(dream)

"""Steps of workers that need no network."""

import os

from tests.dreams import FakeStepper


def load(dream, gpu):
    """Make a stepper; a worker with STUB_PAUSE in its environment takes as long for a tile."""
    return FakeStepper(dream, float(os.environ.get("STUB_PAUSE", 0)))


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

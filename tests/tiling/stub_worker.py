"""A worker whose steps need no network: ``python -m tests.tiling.stub_worker``."""

from functools import partial

from dreamlib.tiling.worker import Worker, main
from tests.dreams import FakeStepper

PROGRAM = ("-m", "tests.tiling.stub_worker")


if __name__ == "__main__":
    main(partial(Worker, load=lambda dream, gpu: FakeStepper(dream)))

"""Kills and power cuts at any change of a file: what is resumed is what was not disturbed.

    python -m tests.faults.trials [--kills 300] [--every] [--cuts 30] [--only NAME] [--seed 0]

Each dream is run once undisturbed, then again and again in a folder of its own, killed or cut off
before a change that is drawn by lot (with --every: before each). Then it is resumed, or begun anew
where there is nothing to resume; the files must be the same bits. Refused in words, with exit code
2, is counted apart; anything else is a fault, which ends with exit code 1. With --every the dreams
are shorter, of a smaller picture.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dreamlib import cli
from dreamlib.video import ffmpeg
from tests.faults.process import contents, run
from tests.nets import picture, write_random_net

SMALL = ["--octaves", "2", "--iterations", "2", "--seed", "4", "--quiet"]
TILES = ["--tile-size", "32", "--overlap", "8", "--work-dir", "work"]

#: Name -> input and output, flags, and what is compared.
DREAMS = {
    "tiles": ("sky.png out.png", [*SMALL, *TILES], ["out.png"]),
    "in RAM": ("sky.png out.jpg", SMALL, ["out.jpg"]),
    "16 bit": ("deep.png out.tif", [*SMALL, *TILES, "--tiff", "tile"], ["out.tif"]),
    "deep zoom": ("sky.png out.dzi", [*SMALL, *TILES], ["out.dzi", "out_files"]),
    "spiral": ("sky.png out.webp", [*SMALL, *TILES, "--schedule", "spiral"], ["out.webp"]),
    "whole": ("sky.png out.bmp", [*SMALL, "--work-dir", "work"], ["out.bmp"]),
    "anchored": ("sky.png out.png", [*SMALL, *TILES, "--anchor", "0.1"], ["out.png"]),
    "film": ("sky.png film", [*SMALL, "--frames", "3", "--gif", "film.gif"], ["film", "film.gif"]),
    "clip": ("clip.mkv out.mp4", SMALL, ["out.mp4"]),
}


def prepare(folder, height=60, width=70):
    """Make what the dreams are made of."""
    Image.fromarray(picture(height, width)).save(folder / "sky.png")
    deep = np.arange(height * width, dtype=np.uint16).reshape(height, width)
    Image.fromarray(deep * 15).save(folder / "deep.png")
    (folder / "model").mkdir()
    write_random_net(folder / "model")
    ffmpeg.run(
        ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10:duration=0.3", "-c:v", "ffv1",
         str(folder / "clip.mkv")], folder / "clip.mkv",
    )  # fmt: skip


class Trials:
    """Tries of one dream.

    Parameters
    ----------
    source : Path
        The folder that `prepare` filled.
    name : str
        Of `DREAMS`.
    brief : bool
        One step to an octave.

    Attributes
    ----------
    command, resume : list of str
        The command's arguments.
    compared : list of str
        Files and folders that are its result.
    expected : dict of str to bytes
        What is in them.
    changes : int
        That the undisturbed dream makes.
    """

    def __init__(self, source, name, brief=False):
        files, flags, self.compared = DREAMS[name]
        if brief:
            flags = [*flags, "--iterations", "1"]
        model = ["--engine", "torch", "--model", str(source / "model"), "--end", "mixed/output"]
        self._source, self.command = source, [*files.split(), *model, *flags]
        self.resume = [*files.split(), "--resume", "--quiet"]
        for flag in ("--work-dir", "--frames", "--gif", "--tiff"):  # all else is as it was
            if flag in flags:
                self.resume += [flag, flags[flags.index(flag) + 1]]
        with self.place() as place:
            code, said, self.changes = run(self.command, place)
            if code:
                raise SystemExit(f"{name} does not even run: {said}")
            self.expected = contents(place, self.compared)

    def place(self):
        """Make a folder for a try, in a folder that goes with it."""
        whole = tempfile.TemporaryDirectory()
        place = Path(whole.name, "place")
        place.mkdir()
        for name in ("sky.png", "deep.png", "clip.mkv"):
            shutil.copy(self._source / name, place)

        class Place:
            def __enter__(self):
                return place

            def __exit__(self, *_):
                whole.cleanup()

        return Place()

    def attempt(self, die_at, seed=None):
        """Disturb the dream once; say what became of it.

        Parameters
        ----------
        die_at : int
            The change before which it dies; 0 is after the last.
        seed : int, optional
            Of a power cut.

        Returns
        -------
        (str, str)
            ``identical``, ``refused`` or ``FAULT``; and words on it.
        """
        with self.place() as place:
            first, said, _ = run(self.command, place, die_at, seed)
            if first not in (0, -9):
                return "FAULT", f"before it was to die, exit code {first}: {said}"
            if die_at == 0:  # it was done: nothing may be missing
                same = contents(place, self.compared) == self.expected
                return ("identical", "") if same else ("FAULT", "what was done is not there")
            code, said, _ = run(self.resume, place)
            if code == 2 and ("no unfinished" in said or "damaged" in said):
                for left in ("work", "out.mp4.work"):
                    if "damaged" in said:
                        shutil.rmtree(place / left, ignore_errors=True)
                code, said, _ = run(self.command, place)
            if code == 2:
                return "refused", said
            if code:
                return "FAULT", f"exit code {code}: {said}"
            same = contents(place, self.compared) == self.expected
            return ("identical", "") if same else ("FAULT", "the files differ")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300, help="of all dreams together")
    parser.add_argument("--every", action="store_true", help="kill before every change")
    parser.add_argument("--cuts", type=int, default=30, help="power cuts of all dreams together")
    parser.add_argument("--only", choices=list(DREAMS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    assert cli  # imported, and with it all that a forked process needs
    names, chance = [options.only] if options.only else list(DREAMS), random.Random(options.seed)
    faults = 0
    print("| dream | changes | kills: identical | refused | FAULT | cuts: identical | refused | "
          "FAULT |\n| --- |" + " ---: |" * 7)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder)
        prepare(source, *((34, 40) if options.every else ()))
        for name in names:
            trials, kills, cuts = Trials(source, name, options.every), Counter(), Counter()
            moments = range(1, trials.changes + 1)
            if not options.every:
                moments = [chance.choice(moments) for _ in range(-(-options.kills // len(names)))]
            ends = [0] + [
                chance.randint(1, trials.changes) for _ in range(options.cuts // len(names))
            ]
            for results, tries in (
                (kills, [(moment, None) for moment in moments]),
                (cuts, [(moment, chance.random()) for moment in ends]),
            ):
                for moment, seed in tries:
                    result, words = trials.attempt(moment, seed)
                    results[result] += 1
                    if result != "identical":
                        print(f"{name}, change {moment}, seed {seed}: {result}: {words}",
                              file=sys.stderr, flush=True)  # fmt: skip
            faults += kills["FAULT"] + cuts["FAULT"]
            columns = [
                str(results[result])
                for results in (kills, cuts)
                for result in ("identical", "refused", "FAULT")
            ]
            print(f"| {name} | {trials.changes} | {' | '.join(columns)} |", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

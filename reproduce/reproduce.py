"""Every cell of the 2015 notebook, by dreamlib, with pictures to look at and a comparison.

    python reproduce/reproduce.py [--picture sky.jpg] [--guide flowers.jpg] [--frames 100]

The notebook's settings: 10 steps on each of 4 octaves of ratio 1.4, steps of 1.5 levels, a jitter
of 32; a dream of inception_4c/output, one of inception_3b/5x5_reduce, a fall of 100 frames that
come a twentieth closer, a dream that is guided by a second picture. bvlc_googlenet if its weights
have been fetched, else the embedded model and layers of its own. Each dream is made again by the
notebook's own code, as tests/notebook.py writes it down, on the same engine and from the same
random numbers; of the fall, the first frames are.

out/reproduce/index.html shows it all.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import numpy as np  # noqa: E402
import scipy.ndimage as nd  # noqa: E402
from page import Comparison, Section, write_page  # noqa: E402

from dreamlib import __version__  # noqa: E402
from dreamlib.ascent.guides import features, guide  # noqa: E402
from dreamlib.dream import deepdream, deprocess, preprocess  # noqa: E402
from dreamlib.errors import DreamError  # noqa: E402
from dreamlib.imaging.open_save import open_picture, save_picture  # noqa: E402
from dreamlib.imaging.samples import clouds, flowers  # noqa: E402
from dreamlib.jobs.frames import levels_of  # noqa: E402
from dreamlib.models.engines import engine_name, load_net  # noqa: E402
from dreamlib.models.layers import check_layer  # noqa: E402
from dreamlib.models.zoo import EMBEDDED, GOOGLENET, find_model  # noqa: E402
from dreamlib.video.distort import parse_chain  # noqa: E402
from tests import notebook  # noqa: E402

FRAMES, SHOWN_FRAME, CLOSER = 100, 29, 0.05  #: the notebook's
#: Model -> what is dreamt, what for strokes, what by a guide.
LAYERS = {
    GOOGLENET: ("inception_4c/output", "inception_3b/5x5_reduce", "inception_3b/output"),
    EMBEDDED: ("block10", "block6", "block10"),
}


class Cell(NamedTuple):
    """What is needed to dream a cell of the notebook twice."""

    net: object
    settings: dict  #: of `deepdream`
    seed: int
    folder: Path

    def dream(self, picture, end, objective=None):
        """Dream by dreamlib: (H, W, 3) float32, and seconds."""
        return self._by(deepdream, picture, end, objective)

    def notebook_dream(self, picture, end, objective=None):
        """Dream by the notebook's code: the same."""
        return self._by(notebook.deepdream, picture, end, objective)

    def _by(self, function, picture, end, objective):
        more = {} if objective is None else {"objective": objective}
        np.random.seed(self.seed)
        begin = time.monotonic()
        dreamt = function(self.net, picture, end=end, **self.settings, **more)
        return dreamt, time.monotonic() - begin

    def save(self, name, levels):
        """Write levels as the notebook does, which does not round; return the name."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_picture(str(path), np.uint8(np.clip(levels, 0, 255)))
        return name

    def twice(self, name, picture, end, objectives=(None, None)):
        """Dream by both, save both and compare them: a `Comparison`."""
        ours, seconds = self.dream(picture, end, objectives[0])
        theirs, their_seconds = self.notebook_dream(picture, end, objectives[1])
        self.save(f"{name}.png", ours)
        self.save(f"{name}_notebook.png", theirs)
        return compare(name, ours, theirs, seconds, their_seconds)


def compare(name, ours, theirs, seconds, their_seconds):
    """Measure how two dreams differ: a `Comparison`, in grey levels."""
    difference = np.abs(np.float64(ours) - theirs)
    return Comparison(
        name, float(difference.max()), float(difference.mean()), seconds, their_seconds
    )


def read(path, made):
    """Read a picture, or take the one that is made: (H, W, 3) float32."""
    return np.float32(levels_of(open_picture(path, None, "")) if path else made())


def fall(cell, picture, end, count, compared):
    """Dream, come closer and dream again.

    Returns
    -------
    list of str
        Names of the frames' files.
    list of Comparison
        Of the first `compared` frames.
    """
    names, comparisons = [], []
    zoom = parse_chain(f"zoom:{CLOSER}", cell.seed)
    ours, theirs = picture.copy(), picture.copy()
    height, width = picture.shape[:2]
    for number in range(count):
        ours, seconds = cell.dream(ours, end)
        names.append(cell.save(f"frames/{number:04d}.jpg", ours))
        if number < compared:
            theirs, their_seconds = cell.notebook_dream(theirs, end)
            name = f"frame {number}"
            comparisons.append(compare(name, ours, theirs, seconds, their_seconds))
            border = [height * CLOSER / 2, width * CLOSER / 2, 0]
            scale = [1 - CLOSER, 1 - CLOSER, 1]
            theirs = nd.affine_transform(theirs, scale, border, order=1)
        print(f"frame {number + 1} of {count}: {seconds:.1f} s", flush=True)
        ours = np.ascontiguousarray(ours)
        zoom.apply(ours, number)
    return names, comparisons


def sections(cell, model, picture, guide_picture, layers, count, compared):
    """Run the cells in the notebook's order; yields a `Section` for each."""
    end, low, guided = layers
    words = ", ".join(f"{name}={value}" for name, value in cell.settings.items())
    planes = preprocess(cell.net, picture)
    back = np.abs(deprocess(cell.net, planes) - picture).max()
    yield Section(
        "The network", f"{model.name}, {len(cell.net.layers)} layers, force_backward; mean "
        f"{', '.join(f'{value:g}' for value in model.mean)}, {model.channel_order}. preprocess and "
        f"deprocess: there and back is off by {back:.2g} levels at most.",
    )  # fmt: skip
    yield Section("The picture", "", [cell.save("picture.png", picture)])
    for title, name, layer in (("A dream", "dream", end), ("Another layer", "strokes", low)):
        yield Section(
            title, f"deepdream(net, img, end={layer!r}, {words})",
            [f"{name}.png", f"{name}_notebook.png"], [cell.twice(name, picture, layer)],
        )  # fmt: skip
    yield Section(
        "What there is to dream",
        "  ".join(f"{name} {tuple(blob.shape)[1:]}" for name, blob in cell.net.blobs.items()),
    )
    if count:
        names, comparisons = fall(cell, picture, end, count, compared)
        yield Section(
            "Falling into it", f"{count} frames of deepdream(net, frame, end={end!r}, {words}), "
            f"each {CLOSER:.0%} closer. Below: the frame that the notebook shows, or the last; "
            "then all.",
            [names[min(SHOWN_FRAME, count - 1)]], comparisons, names,
        )  # fmt: skip
    yield Section("The guide", "", [cell.save("guide.png", guide_picture)])
    ours = guide(guided, features(cell.net, guided, guide_picture))
    theirs = notebook.objective_guide(notebook.guide_features(cell.net, guide_picture, guided))
    yield Section(
        "Guided", f"deepdream(net, img, end={guided!r}, objective=objective_guide, {words})",
        ["guided.png", "guided_notebook.png"],
        [cell.twice("guided", picture, guided, (ours, theirs))],
    )  # fmt: skip


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", help="by default a generated sky of --size")
    parser.add_argument("--guide", help="by default a generated meadow, half as large")
    parser.add_argument("--size", default="1024x576", metavar="WIDTHxHEIGHT")
    parser.add_argument("--model", help="a name or a folder")
    parser.add_argument(
        "--layers", metavar="END,STROKES,GUIDED", help="for a model that the notebook has not seen"
    )
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--gpu", type=int)
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"of the fall [{FRAMES}]")
    parser.add_argument("--compared-frames", type=int, default=2, help="by the notebook's code [2]")
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--octaves", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=PROJECT / "out" / "reproduce")
    options = parser.parse_args(argv)
    try:
        index = reproduce(options)
    except DreamError as error:
        print(f"reproduce.py: {error}", file=sys.stderr)
        return 2
    print(f"look at {index}")
    return 0


def reproduce(options):
    """Do what the command's options ask for; return the path of the page."""
    width, height = (int(side) for side in options.size.split("x"))
    model = find_model(options.model)
    if model.channel_order != "BGR" or model.input_scale != 1:
        raise DreamError(
            f"model {model.name} takes {model.channel_order} times {model.input_scale:g}, and the "
            "notebook's code knows BGR alone, not scaled; take another --model"
        )
    layers = LAYERS.get(model.name, (model.end,) * 3)
    if options.layers:
        layers = tuple(options.layers.split(","))
        if len(layers) != 3:
            raise DreamError(f"--layers {options.layers}: expected END,STROKES,GUIDED")
    picture = read(options.picture, lambda: clouds(width, height, seed=1))
    guide_picture = read(options.guide, lambda: flowers(width // 2, height // 2, seed=1))
    net = load_net(model, options.engine, options.gpu)
    for layer in layers:
        check_layer(net, layer, model)
    settings = {"iter_n": options.iterations, "octave_n": options.octaves, "octave_scale": 1.4}
    cell = Cell(net, settings, options.seed, options.folder)
    found = []
    for section in sections(
        cell, model, picture, guide_picture, layers, options.frames, options.compared_frames
    ):
        found.append(section)
        for one in section.comparisons:
            print(one, flush=True)
    device = "CPU" if options.gpu is None else f"GPU {options.gpu}"
    title = f"The notebook of 2015 by dreamlib {__version__}"
    words = f"{model.name}, {engine_name(net)} on {device}, seed {options.seed}"
    return write_page(options.folder / "index.html", title, words, found)


if __name__ == "__main__":
    sys.exit(main())

"""Class drawings, judged by networks that had no part in them: which recipe draws what is seen.

    python benchmarks/judged.py [MODEL:RECIPE ...] [--classes N...] [--side 320] [--out out/judged]

Each class is drawn from noise of its own by each model and recipe, an octave script's name or file;
with ``SCRIPT+MODEL`` that model looks on as a second judge. Then every model that is fetched tells
what it sees in the pictures of the others. Pictures that are in the folder already are not drawn
again, so that an interrupted run goes on, and ``index.html`` there shows them all.
"""

from __future__ import annotations

import argparse
import html
import json
import time
from pathlib import Path

import numpy as np

from dreamlib.imaging.open_save import open_picture, save_picture
from dreamlib.imaging.picture import Noise
from dreamlib.jobs.prepare import choose_script, open_network
from dreamlib.jobs.resolve import make_job
from dreamlib.jobs.run import dream_levels, work
from dreamlib.models.classify import class_probabilities
from dreamlib.models.engines import load_net
from dreamlib.models.zoo import find_model
from dreamlib.settings import Settings
from dreamlib.util.progress import Progress

#: The classes of DeepInversion's code, and the ten that `benchmarks/classes.py` draws by seed 0.
#: Recipes were tuned on others: 22, 71, 130, 291, 555, 779, 849 and 953.
CLASSES = (
    1, 933, 946, 980, 25, 63, 92, 94, 107, 985, 151, 154, 207, 250, 270, 277, 283, 292, 294, 309,
    311, 325, 340, 360, 386, 402, 403, 409, 530, 440, 468, 417, 590, 670, 817, 762, 920, 949, 963,
    967, 574, 487, 993, 859, 298, 553, 672, 971, 27, 231, 306, 706,
)  # fmt: skip

#: Networks that judge, and what is drawn.
MODELS = ("bvlc_googlenet", "efficientnet_lite0", "squeezenet_v1.1")
DRAWINGS = (
    "bvlc_googlenet:direct",
    "bvlc_googlenet:draw",
    "efficientnet_lite0:direct",
    "efficientnet_lite0:draw",
    "efficientnet_lite0:direct+bvlc_googlenet",
)


def draw(model, recipe, classes, side, folder):
    """Draw the classes that are not in the folder yet, and note what each took."""
    script, _, judge = recipe.partition("+")
    settings = Settings(model=model, target="0", script=script, judges=judge or None, seed=0)
    network = None
    for index in classes:
        path = folder / f"{index:03}.png"
        if path.is_file():
            continue
        network = network or open_network(settings)
        begin = time.perf_counter()
        now, noise = choose_script(
            settings.replace(target=str(index), seed=index), Noise(side, side, index)
        )
        job = make_job(network, noise, now, "drawing.png")
        levels = dream_levels(job, Progress(*work(job.dream), quiet=True))
        seconds = time.perf_counter() - begin
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"seconds": seconds, "megapixels": megapixels(job.dream, network)}
        path.with_suffix(".json").write_text(json.dumps(facts))
        save_picture(str(path), np.uint8(np.rint(levels.clip(0, 255))))


def megapixels(dream, network):
    """Return the megapixels that a dream shows to its networks."""
    side, total = max(network.net.crop_dims), 0
    for octave in dream.octaves:
        seen = octave.size[0] * octave.size[1]
        if octave.direct:
            seen = octave.direct.count(octave.size, side) * side**2 * (1 + len(dream.judges))
        total += seen * octave.steps
    return total / 1e6


def judge(net, folder, classes):
    """Return the rank, 0 the first, at which a network sees each class in its picture."""
    ranks = []
    for index in classes:
        picture = open_picture(str(folder / f"{index:03}.png"), 0, "", "strip").pixels
        probabilities = class_probabilities(net, picture)
        ranks.append(int((probabilities > probabilities[index]).sum()))
    return np.array(ranks)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("drawings", nargs="*", metavar="MODEL:RECIPE", default=DRAWINGS)
    parser.add_argument("--classes", nargs="+", type=int, default=CLASSES)
    parser.add_argument("--side", type=int, default=320, help="of the picture, in pixels")
    parser.add_argument("--out", type=Path, default=Path("out/judged"))
    options = parser.parse_args()
    models = [find_model(name) for name in MODELS]
    nets = {model.name: load_net(model) for model in models if model.weights.is_file()}
    folders = {}
    for drawing in options.drawings:
        name, recipe = drawing.split(":")
        plain = recipe.removesuffix(".toml").replace("/", "_")
        folder = options.out / f"{name}-{plain}-{options.side}"
        draw(name, recipe, options.classes, options.side, folder)
        folders[name, recipe] = folder
    print(f"{len(options.classes)} classes, {options.side} x {options.side}")
    judges = [f"{name} top-1 | top-5" for name in nets]
    print(f"| drawn by | recipe | megapixels | seconds | deviation | {' | '.join(judges)} |")
    print("| --- | --- |" + " ---: |" * (3 + 2 * len(nets)))
    for (name, recipe), folder in folders.items():
        facts = [json.loads((folder / f"{i:03}.json").read_text()) for i in options.classes]
        deviation = np.mean([
            open_picture(str(folder / f"{i:03}.png"), 0, "", "strip").pixels.std()
            for i in options.classes
        ])  # fmt: skip
        cells = []
        for judge_name, net in nets.items():
            ranks = judge(net, folder, options.classes)
            took_part = judge_name in (name, recipe.partition("+")[2])
            first, five = (f"{(ranks < count).mean():.2f}" for count in (1, 5))
            cells.append(f"({first}) | ({five})" if took_part else f"{first} | {five}")
        figures = [np.median([one[key] for one in facts]) for key in ("megapixels", "seconds")]
        print(
            f"| {name} | {recipe} | {figures[0]:.1f} | {figures[1]:.1f} | {deviation:.0f} | "
            f"{' | '.join(cells)} |", flush=True,
        )  # fmt: skip
    write_page(options.out, folders, options.classes, models[0])


def write_page(out, folders, classes, model):
    """Write a page of all pictures, a class a row."""
    labels = model.known_labels()
    heads = "".join(f"<th>{html.escape(f'{name}, {recipe}')}" for name, recipe in folders)
    rows = []
    for index in classes:
        cells = "".join(
            f'<td><img src="{folder.name}/{index:03}.png" width="224">'
            for folder in folders.values()
        )
        rows.append(f"<tr><th>{html.escape(labels[index] if labels else str(index))}{cells}")
    (out / "index.html").write_text(
        "<!doctype html><meta charset=utf-8><title>Judged</title>"
        "<style>body{background:#222;color:#ddd;font:15px sans-serif}</style>"
        f"<table><tr><th>{heads}{''.join(rows)}</table>",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()

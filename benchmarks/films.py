"""Films: memory and time of assembling, the speed of optical flow, the drift of a dreamt clip.

    python benchmarks/films.py [--frames 300] [--side 512]
    python benchmarks/films.py --dream       a clip of 100 frames, dreamt with carried detail
    python benchmarks/films.py --zoom        the notebook's zoom, 200 frames, colours kept and not
    python benchmarks/films.py --overhead    what a frame of 1024 x 575 takes outside dreaming

Frames are crops of a sky that zooms. Peaks are those of whole processes, by the system's count.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from dreamlib.imaging import color  # noqa: E402
from dreamlib.imaging.samples import clouds  # noqa: E402
from dreamlib.video.optical_flow import DetailCarrier, luminance, optical_flow  # noqa: E402

ASSEMBLE = """
import re, resource, sys, time
from dreamlib.video.encode import assemble
from dreamlib.video.frame_folder import find_frames
begin = time.perf_counter()
assemble(find_frames(sys.argv[1]), sys.argv[2])
print(time.perf_counter() - begin)
print(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read()).group(1))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def zoom(frames, side):
    """Yield the frames of a zoom into a sky with grain."""
    from PIL import Image

    grain = np.random.RandomState(0).randn(side, side, 3) * 12
    sky = Image.fromarray(np.uint8(np.clip(clouds(side, side) + grain, 0, 255)))
    for index in range(frames):
        margin = 0.3 * side * index / frames
        yield sky.resize(
            (side, side), Image.BICUBIC, (margin, margin, side - margin, side - margin)
        )


def assembling(frames, side):
    """Print time and peak memory for each format."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "frames"
        pictures.mkdir()
        for index, frame in enumerate(zoom(frames, side)):
            frame.save(pictures / f"{index:04}.png", compress_level=1)
        print(f"{frames} frames of {side} x {side}")
        print("| film | seconds | peak MB | ffmpeg's peak MB | size MB |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for suffix in (".gif", ".webp", ".mp4", ".webm"):
            out = f"{folder}/out{suffix}"
            command = [sys.executable, "-c", ASSEMBLE, str(pictures), out]
            done = subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE)
            seconds, *peaks = map(float, done.stdout.split())
            own, ffmpeg = (peak * 1024 / 1e6 for peak in peaks)
            size = os.path.getsize(out) / 1e6
            print(
                f"| `{suffix}` | {seconds:.1f} | {own:.0f} | {ffmpeg:.0f} | {size:.1f} |",
                flush=True,
            )


def flow(side=1024):
    """Print milliseconds a megapixel of the flow, of carrying detail and of keeping the tone."""
    one, other = (np.array(frame) for frame in list(zoom(300, side))[:2])
    carrier = DetailCarrier()
    carrier.finish(one, one // 2 + 60)
    tone = color.measure(one)
    print("\n| at 1024 x 1024 | ms per megapixel |\n| --- | ---: |")
    for name, action in (
        ("optical flow, one way", lambda: optical_flow(luminance(one), luminance(other))),
        ("`DetailCarrier.begin`", lambda: carrier.begin(other)),
        ("`color.match`", lambda: color.match(other.copy(), tone)),
    ):
        seconds = []
        for _ in range(5):
            begin = time.perf_counter()
            action()
            seconds.append(time.perf_counter() - begin)
        print(f"| {name} | {1e3 * min(seconds) / (side * side / 1e6):.0f} |")


def dream(frames, side, keep, end):
    """Dream a moving clip with the embedded model; print how brightness and contrast go."""
    from dreamlib.dream import deepdream
    from dreamlib.models.engines import load_net
    from dreamlib.models.zoo import find_model

    model = find_model("efficientnet_lite0")
    net = load_net(model)
    ground = clouds(side + 2 * frames, side + frames, 1)
    carrier, before = DetailCarrier(keep), None
    print(f"{frames} frames of {side} x {side}, {end or model.end}, keep {keep}")
    print("| frame | mean, less the undreamt | deviation | like the one before |")
    print("| ---: | ---: | ---: | ---: |")
    for index in range(frames):
        picture = np.ascontiguousarray(ground[index:, 2 * index :][:side, :side])
        start = carrier.begin(picture)
        np.random.seed(index)
        dreamt = deepdream(net, start, iter_n=3, octave_n=2, end=end or model.end)
        carrier.finish(picture, dreamt)
        detail = np.clip(dreamt, 0, 255) - picture
        alike = 0.0
        if before is not None:  # where the ground has not moved out of the frame
            moved, now = before[1:, 2:], detail[:-1, :-2]
            alike = np.corrcoef(moved.ravel(), now.ravel())[0, 1]
        before = detail
        if index < 3 or (index + 1) % 10 == 0:
            mean, spread = detail.mean(), np.clip(dreamt, 0, 255).std()
            print(f"| {index + 1} | {mean:+.2f} | {spread:.1f} | {alike:.2f} |", flush=True)


def zoom_dream(frames, side, end):
    """Dream and zoom as the notebook does; print how tone goes, kept and left alone."""
    from scipy.ndimage import affine_transform

    from dreamlib.dream import deepdream
    from dreamlib.models.engines import load_net
    from dreamlib.models.zoo import find_model

    model = find_model("efficientnet_lite0")
    net, shrink = load_net(model), 0.05
    print(f"{frames} frames of {side} x {side}, {end or model.end}, zoom {shrink}")
    print("| frame | mean, kept | deviation, kept | mean, alone | deviation, alone |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    start = clouds(side, side).astype(np.float32)
    tone, both = color.measure(start), {True: start, False: start.copy()}
    for index in range(frames):
        said = f"| {index + 1} |"
        for kept, frame in both.items():
            np.random.seed(index)
            dreamt = deepdream(net, frame, iter_n=3, octave_n=2, end=end or model.end)
            np.clip(dreamt, 0, 255, out=dreamt)
            if kept:
                color.match(dreamt, tone)
            now = color.measure(dreamt)
            said += f" {now.mean.mean():.1f} | {now.deviation.mean():.1f} |"
            scale, offset = [1 - shrink, 1 - shrink, 1], [side * shrink / 2] * 2 + [0]
            both[kept] = affine_transform(dreamt, scale, offset, order=1)
        if index == 0 or (index + 1) % 25 == 0:
            print(said, flush=True)


def overhead(frames=5):
    """Print the share of a film's time that is not spent in dreams: zoom, tone, files."""
    from PIL import Image

    from dreamlib.jobs import film
    from dreamlib.jobs.frames import run_frames
    from dreamlib.settings import Settings

    dreaming = []
    dream_levels = film.dream_levels

    def timed(job, progress):
        begin = time.perf_counter()
        try:
            return dream_levels(job, progress)
        finally:
            dreaming.append(time.perf_counter() - begin)

    film.dream_levels = timed
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(clouds(1024, 575)).save(f"{folder}/sky.png")
        begin = time.perf_counter()
        settings = Settings(frames=frames, seed=0, quiet=True)
        result = run_frames(f"{folder}/sky.png", f"{folder}/film", settings)
        whole = time.perf_counter() - begin
    print(f"{frames} frames of 1024 x 575, {result.settings.model}, settings as they are")
    print(f"dreaming {np.mean(dreaming):.2f} s a frame; besides "
          f"{(result.seconds - sum(dreaming)) / frames * 1000:.0f} ms a frame, "
          f"{100 * (result.seconds / sum(dreaming) - 1):.1f} %; "
          f"before the first frame {whole - result.seconds:.1f} s")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int)
    parser.add_argument("--side", type=int)
    parser.add_argument("--dream", action="store_true", help="a clip, instead of the table")
    parser.add_argument("--zoom", action="store_true", help="a zoom, instead of the table")
    parser.add_argument("--overhead", action="store_true", help="of a frame, instead of the table")
    parser.add_argument("--keep", type=float, default=0.8)
    parser.add_argument("--end")
    options = parser.parse_args()
    if options.dream:
        dream(options.frames or 100, options.side or 160, options.keep, options.end)
        return
    if options.zoom:
        zoom_dream(options.frames or 200, options.side or 160, options.end)
        return
    if options.overhead:
        overhead(options.frames or 5)
        return
    assembling(options.frames or 300, options.side or 512)
    flow()


if __name__ == "__main__":
    main()

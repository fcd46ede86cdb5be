"""`--memory` is kept: what files, guides, films and workers take is reckoned before it is taken."""

import gc
import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlib.errors import DreamError
from dreamlib.imaging.open_save import reading_cost, writing_cost
from dreamlib.imaging.picture import Picture
from dreamlib.jobs.clip import run_clip
from dreamlib.jobs.frames import run_frames
from dreamlib.jobs.prepare import prepare
from dreamlib.jobs.resolve import make_job
from dreamlib.settings import Settings
from dreamlib.tiling.memory_plan import OVERHEAD, Besides
from dreamlib.util.memory import give_back_freed, parse_bytes, resident_memory
from dreamlib.util.subprocesses import environment
from dreamlib.video.clip import Clip
from dreamlib.video.encode import assemble
from tests.nets import picture

END = "mixed/output"
SIDES = 5000, 4000  #: of a picture that is read by libvips

#: Runs the command and prints its peak, in bytes.
PEAK = """
import sys
from dreamlib import cli
from dreamlib.util.memory import peak_memory

assert cli.main(sys.argv[1:]) == 0
print(peak_memory())
"""


def settings(model, **values):
    own = {"model": model, "engine": "torch", "end": END, "octaves": 1, "iterations": 1, "seed": 1}
    return Settings(quiet=True, **own, **values)


def resident():
    """Return the MB that this process holds, without what earlier tests left behind."""
    gc.collect()
    give_back_freed()
    return resident_memory() >> 20


def just_too_little(source, output, settings):
    """Return a `--memory` that is a little less than the largest stage of a dream takes."""
    demand = prepare(source, output, settings.replace(memory="100G"), planning=True).demand
    return f"{(demand.base + demand.most + OVERHEAD >> 20) - 12}M"


@pytest.fixture
def large(workplace):
    """A picture of one colour, in the formats that are named."""
    pytest.importorskip("pyvips")

    def write(name, **options):
        Image.new("RGB", SIDES, (90, 120, 150)).save(name, **options)
        return name

    return write


@pytest.mark.parametrize(
    ("name", "options", "per_pixel"),
    [
        ("plain.jpg", {}, 0),
        ("progressive.jpg", {"progressive": True, "subsampling": 0}, 6),
        ("halved.jpg", {"progressive": True, "subsampling": 2}, 3),
        ("strips.tif", {"compression": "tiff_deflate"}, 0),
        ("whole.webp", {"method": 0}, 8.5),
        ("whole.gif", {}, 6),
        ("by-pillow.bmp", {}, 21),
    ],
)
def test_what_is_decoded_as_a_whole_is_reckoned_by_its_header(large, name, options, per_pixel):
    pixels = SIDES[0] * SIDES[1]
    assert reading_cost(large(name, **options)).size == per_pixel * pixels


def test_a_picture_that_is_decoded_as_a_whole_is_refused_with_a_size_that_does(large, model):
    large("sky.webp", method=0)
    tiles = settings(model, tile_size=64)
    few = tiles.replace(memory=just_too_little("sky.webp", "out.png", tiles))
    with pytest.raises(DreamError, match=r"reading sky\.webp \(WEBP of 5000 x 4000 pix") as error:
        prepare("sky.webp", "out.png", few, planning=True)
    enough = re.search(r"allow --memory (\d+M), or save it as TIFF", str(error.value)).group(1)
    enough = f"{int(enough[:-1]) + 8}M"  # this process has grown since
    job = prepare("sky.webp", "out.png", tiles.replace(memory=enough), planning=True)
    assert job.demand.ram <= parse_bytes(enough)


def test_a_region_is_reckoned_with_all_of_the_picture_that_it_is_of(large, model):
    large("sky.tif")
    part = settings(model, region="0,0,200,200", memory="100G", schedule="shift")
    job = prepare("sky.tif", "out.png", part, planning=True)
    assert job.demand.canvases >= 3 * SIDES[0] * SIDES[1]


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux's /proc")
@pytest.mark.parametrize("alpha", [False, True])
def test_a_region_of_a_large_png_is_dreamt_within_its_memory(workplace, model, alpha):
    vips = pytest.importorskip("pyvips")
    image = vips.Image.black(9000, 10_000, bands=3) + 90
    image = image.bandjoin(200) if alpha else image  # 90 megapixels, 270 or 360 MB
    image.cast("uchar").copy(interpretation="srgb").pngsave("large.png", compression=1)
    command = [sys.executable, "-c", PEAK, "large.png", "out.png", "--model", model, "--quiet",
               "--engine", "torch", "--end", END, "--octaves", "2", "--iterations", "1",
               "--region", "4000,3000,200,200", "--memory", "450M"]  # fmt: skip
    done = subprocess.run(command, env=environment(), check=True, capture_output=True)
    assert int(done.stdout) < 450 << 20
    assert Image.open("out.png").size == (200, 200)


def test_a_webp_that_takes_too_much_to_be_written_is_refused(large, model):
    large("sky.tif")
    shift = settings(model, schedule="shift")
    few = shift.replace(memory=just_too_little("sky.tif", "out.webp", shift))
    with pytest.raises(DreamError, match=r"writing out\.webp takes .*or write \.tif or \.png"):
        prepare("sky.tif", "out.webp", few, planning=True)
    assert writing_cost("out.tif", *SIDES, None) == writing_cost("out.bmp", *SIDES, None) == 0


def test_a_guide_is_part_of_the_promise(workplace, model):
    Image.fromarray(picture(1000, 1100)).save("guide.png")
    alone = prepare("sky.png", "out.png", settings(model, memory="4G"), planning=True)
    guided = settings(model, memory="4G", guide="guide.png")
    job = prepare("sky.png", "out.png", guided, planning=True)
    assert job.demand.most > alone.demand.most + (16 << 20)
    channels = guided.replace(guide_mode="channels")
    few = just_too_little("sky.png", "out.png", channels)
    with pytest.raises(DreamError, match=r"seeing .*guide\.png .*or take smaller guide pictures"):
        prepare("sky.png", "out.png", channels.replace(memory=few), planning=True)
    assert not Path("out.png.work").exists()


def test_a_film_of_a_large_picture_is_refused_before_it_is_decoded(large, model):
    large("sky.png", compress_level=1)
    few = settings(model, frames=2, memory=f"{resident() + 300}M")
    tracemalloc.start()
    try:
        with pytest.raises(DreamError, match=r"a film of sky\.png .*films are made in RAM"):
            run_frames("sky.png", "frames", few)
        assert tracemalloc.get_traced_memory()[1] < SIDES[0] * SIDES[1]
    finally:
        tracemalloc.stop()


def test_a_large_clip_is_refused_before_its_frames_are_counted(large, model, monkeypatch):
    assemble([large("sky.png", compress_level=1)], "sky.mp4")
    monkeypatch.setattr(Clip, "frames", property(lambda clip: pytest.fail("it was decoded")))
    few = settings(model, memory=f"{resident() + 300}M")
    with pytest.raises(DreamError, match=r"a film of sky\.mp4 takes .*films are made in RAM"):
        run_clip("sky.mp4", "out.mp4", few)
    assert not Path("out.mp4.work").exists()


def test_writing_a_film_is_part_of_the_promise(workplace, model):
    Image.fromarray(picture(1500, 2000)).save("large.png")
    few = settings(model, frames=2, memory=f"{resident() + 550}M")
    with pytest.raises(DreamError, match=r"writing out\.mp4 takes .*, or take a smaller picture"):
        run_frames("large.png", "frames", few.replace(mp4="out.mp4"))
    assert len(list(Path("frames").glob("*.png"))) == 0
    run_frames("large.png", "frames", few.replace(gif="out.gif"))
    assert Path("out.gif").exists()


def test_memory_that_a_film_holds_already_is_not_reckoned_twice(workplace, model):
    job = prepare("sky.png", "out.png", settings(model), planning=True)

    def base(film):
        return make_job(job.network, job.picture, job.settings, "0001.png", film).demand.base

    begun = Besides(resident=123 << 20, standing=45 << 20)
    assert base(begun) - base(Besides(resident=0)) == 168 << 20


def test_bitmaps_are_written_as_pillow_writes_them(tmp_path):
    from dreamlib.imaging.open_save import save_picture

    for width in (61, 64):
        pixels = picture(40, width)
        save_picture(tmp_path / "ours.bmp", pixels)
        Image.fromarray(pixels).save(tmp_path / "theirs.bmp")
        assert (tmp_path / "ours.bmp").read_bytes() == (tmp_path / "theirs.bmp").read_bytes()


def test_a_guide_is_seen_the_same_where_only_what_is_needed_is_kept(net):
    from dreamlib.ascent.guides import features
    from dreamlib.models.preprocessing import preprocess

    pixels = picture(120, 150)
    seen = features(net, END, pixels)
    preprocess(net, pixels, out=net.blobs["data"].data[0])
    net.forward(end=END)
    assert np.array_equal(seen, net.blobs[END].data[0])


def test_large_pictures_of_formats_that_libvips_lacks_are_read_by_pillow(large):
    from dreamlib.imaging.open_save import open_picture

    assert isinstance(open_picture(large("sky.bmp"), 0, "out.png"), Picture)

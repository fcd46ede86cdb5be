"""Large pictures from the command line: tiles, budgets, work folders, what is refused."""

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlib.config import load_config
from dreamlib.errors import DreamError
from dreamlib.imaging import open_save as files
from dreamlib.jobs import run as session
from dreamlib.jobs.prepare import prepare
from dreamlib.settings import Settings
from dreamlib.tiling.octave_loop import OctaveLoop
from dreamlib.util.progress import Left
from tests.command import ctrl_c_at, pixels, run, run_and_kill
from tests.nets import picture

END = "mixed/output"


@pytest.fixture
def sky_size():
    return 150, 220


def flags(model, *more):
    """Flags of a tiled dream that takes a moment."""
    given = ["--engine", "torch", "--model", model, "--end", END, "--octaves", 2, "--iterations", 2,
             "--schedule", "shift", "--tile-size", 64, "--overlap", 16, "--seed", 4,
             *more]  # fmt: skip
    return [str(flag) for flag in given]


@pytest.fixture(scope="module")
def tiled(tmp_path_factory, model):
    """What the dream of `flags` gives when nothing disturbs it."""
    folder = tmp_path_factory.mktemp("tiled")
    Image.fromarray(picture(150, 220)).save(folder / "sky.png")
    assert run(folder / "sky.png", folder / "out.png", *flags(model)) == 0
    return pixels(folder / "out.png")


@pytest.mark.parametrize("schedule", ["shift", "spiral", "random"])
@pytest.mark.parametrize("wrap", ["none", "horizontal", "both"])
def test_every_schedule_dreams_all_of_the_picture(workplace, model, schedule, wrap):
    more = ["--schedule", schedule, "--wrap", wrap, "--iterations", 4]
    assert run("sky.png", "out.png", *flags(model), *more) == 0
    change = np.abs(pixels("out.png") - pixels("sky.png")).mean(axis=2)
    blocks = change[:144, :216].reshape(9, 16, 9, 24).mean(axis=(1, 3))
    assert blocks.min() > 0.3


def test_with_a_work_folder_the_picture_is_the_same_and_the_folder_is_gone(workplace, model, tiled):
    assert run("sky.png", "out.png", *flags(model, "--work-dir", "work")) == 0
    assert np.array_equal(pixels("out.png"), tiled)
    assert not (workplace / "work").exists()


def test_a_dreamt_picture_repeats_its_tiled_dream(workplace, model, tiled):
    assert run("sky.png", "out.png", *flags(model)) == 0
    assert load_config("out.png")["tile_size"] == 64
    assert run("sky.png", "again.png", "--config", "out.png") == 0
    assert np.array_equal(pixels("again.png"), tiled)


def test_a_killed_dream_is_resumed_to_the_same_picture(workplace, model, tiled):
    journal = workplace / "work" / "journal.json"

    def has_begun():
        return journal.exists() and json.loads(journal.read_text())["state"]

    run_and_kill(has_begun, "sky.png", "out.png", *flags(model, "--work-dir", "work"))
    assert run("sky.png", "out.png", "--resume", "--work-dir", "work") == 0
    assert np.array_equal(pixels("out.png"), tiled)
    assert not (workplace / "work").exists()


def interrupted(model, *more):
    """Begin a dream with a work folder, end it by Ctrl-C."""
    with ctrl_c_at(2):
        assert run("sky.png", "out.png", *flags(model, "--work-dir", "work", *more)) == 130


def test_an_interrupted_dream_is_saved_says_so_and_goes_on(workplace, model, tiled, capsys):
    interrupted(model)
    assert "--resume" in capsys.readouterr().err
    assert Image.open("out.png").size == (220, 150)
    assert "ended early" in Image.open("out.png").text["dreamlib"]
    assert not np.array_equal(pixels("out.png"), tiled)
    assert run("sky.png", "out.png", "--resume", "--work-dir", "work") == 0
    assert np.array_equal(pixels("out.png"), tiled)


def test_what_an_interrupted_picture_was_made_of_takes_no_room_in_the_resumed_dream(
    workplace, model, monkeypatch
):
    interrupted(model)
    [left] = (workplace / "work").glob("unfinished-1-*.dream-canvas")
    found = []
    dream = OctaveLoop._dream_octave
    monkeypatch.setattr(
        OctaveLoop, "_dream_octave", lambda *given: found.append(left.exists()) or dream(*given)
    )
    assert run("sky.png", "out.png", "--resume", "--work-dir", "work") == 0
    assert found == [False, False]


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("deploy.prototxt", "layer {", "layer  {", "the model's network"),
        ("model.toml", "mean", "# a word\nmean", "the model's model.toml"),
        ("model.toml", "104.0", "105.0", "the model's m"),
    ],
)
def test_a_model_that_was_edited_is_another(workplace, model, capsys, file, old, new, said):
    shutil.copytree(model, "mine")
    (workplace / "mine" / "model.toml").write_text("mean = [104.0, 116.0, 122.0]\n")
    interrupted("./mine")
    path = workplace / "mine" / file
    path.write_text(path.read_text().replace(old, new))
    assert run("sky.png", "out.png", "--work-dir", "work", "--resume") == 2
    assert f"{said}" in capsys.readouterr().err.partition("has changed since it was begun")[0]


@pytest.mark.parametrize("harm", ["cut", "altered", "missing"])
def test_a_canvas_that_was_harmed_is_refused_by_name(workplace, model, capsys, harm):
    with ctrl_c_at(9):  # in the second pass of the first octave
        assert run("sky.png", "out.png", *flags(model, "--work-dir", "work")) == 130
    [canvas] = (workplace / "work").glob("octave-0-*")
    data = bytearray(canvas.read_bytes())
    data[5000] ^= 1
    canvas.write_bytes({"cut": data[:-1], "altered": data, "missing": b""}[harm])
    if harm == "missing":
        canvas.unlink()
    assert run("sky.png", "out.png", "--work-dir", "work", "--resume") == 2
    said = capsys.readouterr().err
    assert canvas.name in said
    assert {"cut": "bytes", "altered": "was altered, in rows 0 to", "missing": "is missing"}[
        harm
    ] in said


def test_the_undreamt_picture_of_a_work_folder_is_made_anew_where_it_was_harmed(
    workplace, model, tiled
):
    interrupted(model)
    [canvas] = (workplace / "work").glob("source-*")
    canvas.write_bytes(bytes(canvas.stat().st_size))
    assert run("sky.png", "out.png", "--resume", "--work-dir", "work") == 0
    assert np.array_equal(pixels("out.png"), tiled)


def test_a_picture_that_cannot_be_read_leaves_no_work_folder(workplace, model, capsys):
    data = Path("sky.png").read_bytes()
    Path("sky.png").write_bytes(data[: len(data) // 2])
    assert run("sky.png", "out.png", *flags(model, "--work-dir", "work")) == 2
    assert "sky.png cannot be read" in capsys.readouterr().err
    assert not (workplace / "work").exists()


def test_a_name_that_no_settings_can_hold_is_refused_before_the_dream(workplace, model, capsys):
    mask = os.fsdecode(b"m\xff.png")
    shutil.copy("sky.png", mask)
    assert run("sky.png", "out.png", *flags(model, "--mask", mask)) == 2
    assert "--mask is" in capsys.readouterr().err
    assert "out.png" not in os.listdir()


def test_an_output_behind_a_dangling_link_is_refused_before_the_dream(workplace, model, capsys):
    Path("out.png").symlink_to("nowhere/out.png")
    assert run("sky.png", "out.png", *flags(model)) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_what_does_not_fit_an_unfinished_dream_is_refused(workplace, model, capsys):
    interrupted(model)
    resume = ["sky.png", "out.png", "--work-dir", "work"]
    assert run(*resume, *flags(model)) == 2
    assert "holds an unfinished dream" in capsys.readouterr().err
    assert run(*resume, "--resume", "--step-size", 3, "--octaves", 2) == 2
    error = capsys.readouterr().err
    assert "step_size was 1.5, is now 3.0" in error
    assert "octaves" not in error
    Image.fromarray(picture(150, 220, seed=1)).save("sky.png")
    assert run(*resume, "--resume") == 2
    assert "the input picture" in capsys.readouterr().err


def test_a_resumed_dream_needs_its_guides_and_its_mask_as_they_were(workplace, model, capsys):
    for name in ("guide.png", "mask.png"):
        Image.fromarray(picture(80, 100, seed=5)).save(name)
    more = ["--guide", "guide.png", "--mask", "mask.png", "--mask-on", "steps"]
    interrupted(model, *more)
    resume = ["sky.png", "out.png", "--work-dir", "work", "--resume"]
    for name, what in (("guide.png", "the guide picture"), ("mask.png", "the mask")):
        kept = Path(name).read_bytes()
        Image.fromarray(picture(80, 100, seed=6)).save(name)
        assert run(*resume) == 2
        assert f"{what} {workplace / name} of the dream in work has changed" in (
            capsys.readouterr().err
        )
        Path(name).unlink()
        assert run(*resume) == 2
        assert name in capsys.readouterr().err
        Path(name).write_bytes(kept)


def test_a_guide_that_cannot_be_read_leaves_no_work_folder(workplace, model, capsys):
    Path("guide.png").write_text("no picture")
    assert (
        run("sky.png", "out.png", *flags(model, "--work-dir", "work", "--guide", "guide.png")) == 2
    )
    assert "guide.png" in capsys.readouterr().err
    assert not Path("work").exists()


def test_a_dream_by_tiles_with_equal_bands_is_resumed_to_the_same_picture(workplace, model):
    more = ["--laplacian", 2, "--pull-base", 1]
    interrupted(model, *more)
    assert run("sky.png", "out.png", "--resume", "--work-dir", "work") == 0
    assert run("sky.png", "whole.png", *flags(model, *more)) == 0
    assert np.array_equal(pixels("out.png"), pixels("whole.png"))
    assert not (workplace / "work").exists()


def test_two_processes_do_not_share_a_work_folder(workplace, model, capsys):
    from dreamlib.tiling.work_folder import WorkFolder

    folder = WorkFolder("work")
    try:
        assert run("sky.png", "out.png", *flags(model, "--work-dir", "work")) == 2
    finally:
        folder.close()
    assert "another process" in capsys.readouterr().err


def test_a_region_is_dreamt_at_the_scale_of_the_whole(workplace, model):
    """Its pixels resemble the full run's far more than they do the undreamt picture."""
    more = ["--storage", "float32", "--iterations", 3, "--jitter", 0, "--tile-size", 2000]
    Image.fromarray(picture(700, 900)).save("sky.png")
    assert run("sky.png", "all.png", *flags(model), *more) == 0
    assert run("sky.png", "part.png", *flags(model), *more, "--region", "400,300,120,90") == 0
    part, full = pixels("part.png"), pixels("all.png")[300:390, 400:520]
    undreamt = pixels("sky.png")[300:390, 400:520]
    assert part.shape == (90, 120, 3)
    detail, wanted = part - undreamt, full - undreamt
    assert np.corrcoef(detail.ravel(), wanted.ravel())[0, 1] > 0.9


def test_a_plan_tells_sizes_memory_and_time_and_dreams_nothing(workplace, model, capsys):
    assert run("sky.png", "out.png", *flags(model, "--plan")) == 0
    plan = capsys.readouterr().out
    for part in ("220 x 150", "157 x 107", "tiles of 64", "RAM", "disk", "time", "uint8"):
        assert part in plan
    assert [path.name for path in workplace.iterdir()] == ["sky.png"]


def test_a_preview_is_written_while_it_goes_on(workplace, model):
    assert run("sky.png", "out.png", *flags(model, "--preview", 0.0001)) == 0
    assert Image.open("out.png.preview.jpg").size == (220, 150)


def test_a_preview_that_cannot_be_written_does_not_end_the_dream(workplace, model, capsys):
    Path("out.png.preview.jpg").mkdir()
    assert run("sky.png", "out.png", *flags(model, "--preview", 0.0001)) == 0
    assert "no preview this time: " in capsys.readouterr().err
    assert Image.open("out.png").size == (220, 150)


def full_for(output, monkeypatch):
    """Let there be no room for one output."""
    save = files.save_picture

    def save_elsewhere(path, *given):
        if path == output:
            raise DreamError(f"{path} cannot be written: the disk is full")
        return save(path, *given)

    monkeypatch.setattr(files, "save_picture", save_elsewhere)


def test_a_picture_for_which_the_disk_is_full_is_saved_elsewhere(
    workplace, model, tiled, monkeypatch, capsys
):
    (workplace / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(workplace / "temporary"))
    full_for("out.png", monkeypatch)
    assert run("sky.png", "out.png", *flags(model)) == 2
    (saved,) = (workplace / "temporary").glob("*/out.png")
    assert np.array_equal(pixels(saved), tiled)
    assert f"disk is full. The picture was saved as {saved}" in capsys.readouterr().err


def test_with_a_work_folder_it_is_written_when_the_disk_has_room_again(
    workplace, model, tiled, monkeypatch, capsys
):
    with monkeypatch.context() as patched:
        full_for("out.png", patched)
        assert run("sky.png", "out.png", *flags(model, "--work-dir", "work")) == 2
    assert "disk is full. Mend that, then resume with --resume" in capsys.readouterr().err
    assert run("sky.png", "out.png", "--resume", "--work-dir", "work") == 0
    assert np.array_equal(pixels("out.png"), tiled)


def test_ctrl_c_while_the_picture_is_written_does_not_lose_it(workplace, model, tiled, monkeypatch):
    save = files.save_picture

    def interrupted_save(*given):
        signal.raise_signal(signal.SIGINT)
        return save(*given)

    monkeypatch.setattr(files, "save_picture", interrupted_save)
    assert run("sky.png", "out.png", *flags(model)) == 0
    assert np.array_equal(pixels("out.png"), tiled)


def test_who_leaves_at_once_is_told_how_to_resume(workplace, model, monkeypatch, capsys):
    def leave(loop):
        raise KeyboardInterrupt

    monkeypatch.setattr(OctaveLoop, "passes", leave)
    assert run("sky.png", "out.png", *flags(model, "--work-dir", "work")) == 130
    error = capsys.readouterr().err
    assert "--resume --work-dir work" in error
    assert "nothing was written" not in error


@pytest.mark.parametrize("region", [[], ["--region", "30,20,100,90"]])
def test_floats_in_a_work_folder_are_written_as_those_in_memory(workplace, model, region):
    more = ["--storage", "float32", "--no-clip", *region]
    assert run("sky.png", "memory.png", *flags(model, *more)) == 0
    assert run("sky.png", "folder.png", *flags(model, *more, "--work-dir", "work")) == 0
    assert np.array_equal(pixels("folder.png"), pixels("memory.png"))
    assert not (workplace / "work").exists()


def test_sixteen_bits_go_in_and_out(workplace, model):
    pyvips = pytest.importorskip("pyvips")
    deep = picture(90, 120).astype(np.uint16) * 257 + 77
    pyvips.Image.new_from_array(deep).copy(interpretation="rgb16").pngsave("deep.png")
    assert run("deep.png", "out.tif", *flags(model)) == 0
    out = pyvips.Image.new_from_file("out.tif").numpy()
    assert out.dtype == np.uint16
    assert 100 < np.abs(out.astype(int) - deep).mean() < 8000
    assert load_config("out.tif")["tile_size"] == 64


def test_a_deep_zoom_comes_out(workplace, model):
    pytest.importorskip("pyvips")
    assert run("sky.png", "out.dzi", *flags(model)) == 0
    assert (workplace / "out_files" / "8" / "0_0.jpg").exists()


def truncated(path, source):
    data = Path(source).read_bytes()
    Path(path).write_bytes(data[: len(data) // 2])


def test_tiles_in_which_the_network_does_not_reach_the_layer_are_refused(workplace, model):
    from dreamlib.jobs.resolve import check_tiles
    from dreamlib.models.engines import read_definition
    from dreamlib.models.zoo import find_model
    from dreamlib.tiling.memory_plan import Chosen

    definition = read_definition(find_model("bvlc_googlenet"), "torch")
    chosen, end = Chosen("shift", 16, 4, "none", "uint8"), "inception_5b/output"
    with pytest.raises(DreamError, match=r"tiles of 16 pixels are too small for .*5b.*8 x 8"):
        check_tiles(definition, end, chosen, [(3000, 4000)])
    check_tiles(definition, end, chosen._replace(tile_size=128), [(3000, 4000)])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["short.tif"], ["short.tif", "truncated"]),
        (["empty.jpg"], ["empty.jpg", "0 bytes"]),
        (["dot.png"], ["1 x 1", "does not fit"]),
        (["line.png", "--octaves", "1"], ["100000 x 1", "does not fit"]),
        (["sky.png", "--overlap", "60"], ["overlap of 60", "half a tile"]),
        (["sky.png", "--memory", "10M"], ["too small", "--memory"]),
        (["sky.png", "--memory", "much"], ["--memory", "'much'", "2G"]),
        (["sky.png", "--work-dir", "nowhere/work"], ["nowhere/work", "--work-dir"]),
        (["sky.png", "--work-dir", "sky.png"], ["sky.png", "--work-dir"]),
        (["sky.png", "--resume"], ["no unfinished dream"]),
        (["sky.png", "--region", "200,0,100,100"], ["200,0,100,100", "220 x 150"]),
        (["sky.png", "--region", "0,0,0,9"], ["--region", "X,Y"]),
        (["sky.png", "--no-clip", "--storage", "uint8"], ["float32", "--no-clip"]),
        (["sky.png", "--devices", "cuda:900"], ["no GPU 900", "--devices"]),
        (["noise:900000x900000"], ["GB", "free"]),
    ],
)
def test_bad_input_is_refused_in_words_and_nothing_is_left(
    workplace, model, capsys, arguments, says
):
    Image.fromarray(picture(90, 120)).save("long.tif")
    truncated("short.tif", "long.tif")
    Path("empty.jpg").touch()
    Image.new("RGB", (2, 1)).save("dot.png")
    Image.new("RGB", (100_000, 1)).save("line.png")
    before = {path.name for path in workplace.iterdir()}
    assert run(arguments[0], "out.png", *flags(model), *arguments[1:]) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    for part in says:
        assert part in error
    assert {path.name for path in workplace.iterdir()} == before


@pytest.mark.parametrize("schedule", ["whole", "shift"])
def test_a_dream_that_is_left_writes_nothing_and_is_resumed_to_the_same_picture(
    workplace, model, schedule
):
    def dream(output, resume=False, listener=None):
        own = {
            "model": model, "end": END, "schedule": schedule, "tile_size": 96, "overlap": 8,
            "octaves": 2, "iterations": 3, "seed": 1,
        }  # fmt: skip
        own = {} if resume else own
        settings = Settings(work_dir="work", quiet=True, resume=resume, **own)
        return session.run(prepare("sky.png", output, settings), listener)

    with pytest.raises(Left):
        dream("left.png", listener=lambda report: report.share > 0)
    assert not Path("left.png").exists()
    shares = []
    dream("resumed.png", resume=True, listener=lambda report: shares.append(report.share))
    assert shares[0] > 0
    assert not Path("work").exists()
    dream("at-once.png")
    assert np.array_equal(Image.open("resumed.png"), Image.open("at-once.png"))

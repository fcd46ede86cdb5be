"""Memory: sizes in words, and the settings that keep a dream within them."""

import re

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

from dreamlib.errors import DreamError
from dreamlib.imaging.resample import octave_sizes
from dreamlib.pycaffe import caffe_pb2, passes
from dreamlib.tiling import memory_plan
from dreamlib.tiling.memory_plan import Machine, Wanted, choose, memory_budget, step_bytes
from dreamlib.tiling.schedule import Schedule
from dreamlib.util.memory import parse_bytes
from tests.nets import INCEPTION

DEFINITION = text_format.Parse(INCEPTION, caffe_pb2.NetParameter())
BASE = 300 << 20
LARGE = (6000, 8000)


STEP = step_bytes(DEFINITION, "mixed/output", "torch")
OPEN = Wanted(
    schedule=None, tile_size=None, overlap=None, wrap=None, storage="auto", jitter=32, clip=True,
    memory=None,
)  # fmt: skip


def chosen(memory, size=LARGE, dtype="uint8", on_gpu=False, base=False, octaves=4, **values):
    wanted = OPEN._replace(memory=memory, **values)
    sizes = octave_sizes(*size, octaves)
    return choose(wanted, sizes, STEP, dtype, Machine(BASE, on_gpu), base)


def test_without_a_budget_most_of_the_free_memory_is_taken(monkeypatch):
    monkeypatch.setattr("dreamlib.tiling.memory_plan.available_memory", lambda: 10 << 30)
    assert memory_budget(None, BASE) == BASE + 8 * (1 << 30)


def test_the_whole_picture_is_dreamt_where_it_fits():
    settings, demand = chosen("8G", (600, 800))
    assert (settings.schedule, settings.wrap, settings.storage) == ("whole", "both", "float32")
    assert demand.in_ram


def test_a_picture_that_does_not_fit_as_a_whole_is_dreamt_in_tiles():
    settings, _ = chosen("2G")
    assert (settings.schedule, settings.wrap, settings.storage) == ("shift", "none", "uint8")


def test_a_tile_size_is_a_wish_for_tiles():
    assert chosen("8G", (600, 800), tile_size=256)[0].schedule == "shift"


@given(st.integers(450, 4000), st.integers(450, 4000))
def test_tiles_shrink_with_the_budget(one, other):
    less, more = sorted((one, other))
    small, large = (chosen(f"{memory}M")[0].tile_size for memory in (less, more))
    assert small <= large


def test_tiles_are_as_large_as_is_useful_where_there_is_room():
    assert chosen("100G", schedule="shift")[0].tile_size == 512
    on_gpu = chosen("100G", schedule="shift", on_gpu=True)[0]
    assert (on_gpu.tile_size, on_gpu.overlap) == (2048, 96)


def test_a_tight_budget_makes_tiles_smaller_than_the_best():
    assert 64 <= chosen("450M")[0].tile_size < 512


@given(
    st.integers(1, 1500),
    st.sampled_from(["whole", "shift", "spiral", "random"]),
    st.none() | st.integers(64, 2000),
    st.sampled_from([0, 32, 300]),
    st.sampled_from([None, "none", "both"]),
)
def test_a_budget_that_is_too_small_is_refused_with_one_that_will_do(
    memory, schedule, tile, jitter, wrap
):
    values = {"schedule": schedule, "tile_size": tile, "jitter": jitter, "wrap": wrap}
    try:
        chosen(f"{memory}M", (1000, 1200), **values)
    except DreamError as error:
        enough = re.search(r"allow --memory (\d+)M", str(error)).group(1)
        assert int(enough) > memory
        chosen(f"{enough}M", (1000, 1200), **values)


@given(st.integers(450, 1500))
def test_adam_takes_tiles_that_leave_its_moments_room_and_tells_what_would_do(memory):
    how = {"size": (3000, 4000), "schedule": "shift", "adam": True}
    settings, demand = chosen(f"{memory}M", **how)
    if not demand.in_ram:
        enough = -(-(demand.ram + demand.canvases) // (1 << 20))
        assert enough > memory
        settings, demand = chosen(f"{enough}M", **how)
        assert demand.in_ram
        assert settings.tile_size < 512  # the best, for which there is no room
        assert not chosen(f"{enough - 1}M", **how)[1].in_ram


@given(
    st.integers(900, 1500),
    st.sampled_from(["shift", "spiral", "random"]),
    st.sampled_from([0, 32, 300]),
    st.sampled_from(["none", "horizontal", "both"]),
    st.tuples(st.integers(70, 400), st.integers(70, 400)),
)
def test_no_window_takes_more_than_was_reckoned(memory, schedule, jitter, wrap, size):
    settings, demand = chosen(
        f"{memory}M", size, schedule=schedule, jitter=jitter, wrap=wrap, tile_size=64
    )
    for height, width in (size, (size[0] * 5 // 7, size[1] * 5 // 7)):
        made_of = (settings.tile_size, settings.overlap, wrap, jitter)
        for phase in Schedule(schedule, (height, width), *made_of).phases(0):
            for tile in phase:
                pixels = tile.window.height * tile.window.width
                assert STEP(pixels) <= demand.network


@given(st.integers(1, 10**7), st.integers(1, 10**7))
def test_more_pixels_never_take_less(one, other):
    less, more = sorted((one, other))
    assert STEP(less) <= STEP(more)


def test_the_plan_knows_from_where_on_the_engine_takes_memory_otherwise():
    assert passes.LARGE // 3 == memory_plan.SMALL


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_pictures_of_more_than_eight_bits_are_held_in_sixteen(dtype):
    assert chosen("2G", dtype=dtype)[0].storage == "uint16"


def test_what_is_not_clipped_is_held_as_floats():
    assert chosen("2G", clip=False)[0].storage == "float32"


@pytest.mark.parametrize("storage", ["uint8", "uint16"])
def test_integers_are_refused_where_nothing_is_clipped(storage):
    with pytest.raises(DreamError, match="use --storage float32 with --no-clip"):
        chosen("2G", clip=False, storage=storage)


def test_the_users_choices_are_kept():
    values = {"schedule": "spiral", "tile_size": 320, "overlap": 17, "wrap": "horizontal"}
    settings, _ = chosen("4G", storage="uint16", **values)
    assert settings.storage == "uint16"
    assert {name: getattr(settings, name) for name in values} == values


def test_an_overlap_of_more_than_half_a_tile_is_refused():
    with pytest.raises(DreamError, match="--overlap 64 or less"):
        chosen("4G", tile_size=128, overlap=65)
    chosen("4G", tile_size=128, overlap=64)


@pytest.mark.parametrize(("memory", "in_ram"), [("8G", True), ("600M", False)])
def test_canvases_lie_in_ram_where_there_is_room(memory, in_ram):
    _, demand = chosen(memory, schedule="shift")
    assert demand.in_ram == in_ram
    assert demand.ram <= parse_bytes(memory)


def test_the_undreamt_picture_takes_a_canvas_more():
    _, demand = chosen("2G", (1000, 1400), schedule="shift", base=True)
    assert demand.canvases == 4 * 1000 * 1400 * 3  # source, canvas, back buffer and base


def test_the_demand_counts_all_canvases_of_the_last_octave():
    _, demand = chosen("8G", (1000, 1400), schedule="shift", octaves=1)
    assert demand.canvases == 3 * 1000 * 1400 * 3  # source, canvas and back buffer, one byte each


def test_on_a_gpu_the_network_takes_no_ram_to_speak_of():
    on_cpu, on_gpu = (chosen("8G", tile_size=512, on_gpu=gpu)[1] for gpu in (False, True))
    assert on_gpu.network < on_cpu.network / 4


# -- canvases on the GPU --------------------------------------------------------------------------

PHOTO = (3000, 4000)
TILES = {"schedule": "shift", "tile_size": 512}


def on_gpu(free, memory="8G", size=PHOTO, base=False, dtype="uint8", workers=0, **values):
    """What is chosen on a GPU with so many bytes free, or None where nobody knows."""
    wanted = OPEN._replace(**{"memory": memory, **TILES, **values})
    machine = Machine(BASE, True, workers, gpu_free=free)
    return choose(wanted, octave_sizes(*size, 4), STEP, dtype, machine, base)


@pytest.mark.parametrize("base", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_canvases_lie_on_the_gpu_where_there_is_room(base, dtype):
    (settings, there), (same, before) = (
        on_gpu(free, base=base, dtype=dtype) for free in (8 << 30, None)
    )
    picture_bytes = PHOTO[0] * PHOTO[1] * 3 * (2 if dtype == "uint16" else 1)
    assert settings == same
    assert there.on_gpu == before.canvases - picture_bytes  # all but the undreamt picture
    assert 1 <= there.on_gpu / ((3 if base else 2) * picture_bytes) < 1.03
    assert there.canvases == 2 * picture_bytes  # the undreamt picture, and what is written
    assert there.in_ram
    assert before.on_gpu == 0
    assert before.ram - there.ram == there.on_gpu - picture_bytes


def test_they_fit_beside_the_network_within_the_share_or_stay_in_ram():
    seen = (512 + 2 * 96) ** 2
    wanted = STEP(seen) + on_gpu(8 << 30)[1].on_gpu
    enough = int(wanted / memory_plan.SHARE) + 1
    assert on_gpu(enough)[1].on_gpu
    found, unknown = on_gpu(enough - 2)[1], on_gpu(None)[1]
    assert found == unknown
    assert found.in_ram


@pytest.mark.parametrize(
    "values", [{"workers": 2}, {"in_files": True}], ids=["workers", "work folder"]
)
def test_canvases_that_others_are_to_see_are_not_on_the_gpu(values):
    assert on_gpu(8 << 30)[1].on_gpu
    assert on_gpu(8 << 30, **values) == on_gpu(None, **values)
    assert on_gpu(8 << 30, **values)[1].on_gpu == 0


def test_a_picture_for_which_ram_is_short_is_dreamt_on_the_gpu_and_not_on_disk():
    in_ram = on_gpu(None, size=LARGE)[1]
    memory = f"{(in_ram.ram >> 20) - 16}M"
    assert not on_gpu(None, memory, LARGE)[1].in_ram
    there = on_gpu(8 << 30, memory, LARGE)[1]
    assert there.in_ram
    assert there.ram <= parse_bytes(memory)


def test_what_ram_has_no_room_to_write_goes_to_disk_whole():
    there = on_gpu(8 << 30, size=LARGE)[1]
    memory = f"{(there.ram >> 20) - 16}M"
    assert on_gpu(8 << 30, memory, LARGE) == on_gpu(None, memory, LARGE)
    assert not on_gpu(8 << 30, memory, LARGE)[1].in_ram


def test_adams_moments_stay_in_ram():
    plain, adam = (on_gpu(8 << 30, adam=adam)[1] for adam in (False, True))
    assert adam.on_gpu == plain.on_gpu
    assert adam.ram - plain.ram == 24 * PHOTO[0] * PHOTO[1]


def test_windows_are_the_default_where_a_script_draws_and_are_held_as_floats():
    settings, demand = chosen("2G", (600, 800), window=224)
    assert settings == ("windows", 224, 0, "both", "float32")
    assert demand.network == STEP(224 * 224)

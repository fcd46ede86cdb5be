"""The tile's turn on the network's device, judged by `Painter` and `make_step`."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from dreamlib import pycaffe as caffe
from dreamlib.ascent.regularizers import Looks
from dreamlib.dream import make_step
from dreamlib.imaging.resample import Stored, octave_sizes
from dreamlib.imaging.window import Window
from dreamlib.models.preprocessing import Preprocessing, preprocess
from dreamlib.settings import Settings
from dreamlib.tiling import device_stepper as module
from dreamlib.tiling.canvas import Canvas
from dreamlib.tiling.device_codec import DeviceEncoding
from dreamlib.tiling.device_stepper import DevicePainter
from dreamlib.tiling.octave_loop import Dreamer, whole_frames
from dreamlib.tiling.quantize import Encoding, thresholds
from dreamlib.tiling.schedule import SCHEDULES, Visit
from dreamlib.tiling.stepper import Painter, make_painter
from dreamlib.tiling.transfer import CudaLane, HostLane, Parcel
from dreamlib.tiling.work_folder import InMemory
from dreamlib.tiling.workers import Alone
from tests.nets import picture, small_classifier

END = "mixed/output"
CPU = torch.device("cpu")
DTYPES = ("uint8", "uint16", "float32")


@pytest.fixture
def net(tmp_path):
    net = small_classifier(tmp_path)
    net.keep_intermediates = False
    return net


def canvas_of(dtype, height=96, width=120):
    """A canvas of soft blotches, which makes use of all that its dtype can hold."""
    pixels = picture(height, width).astype(dtype)
    if dtype == "uint16":
        pixels *= 257
        pixels += np.random.RandomState(1).randint(0, 200, pixels.shape).astype(dtype)
        pixels[0, 0] = 65535
    if dtype == "float32":
        pixels -= 120
    return Canvas.of(pixels)


def tile(top=16, left=24, side=48, margin=8, feathered=False):
    """A visit with a margin of context; more on the right, so that rows and columns differ."""
    core = Window(top, left, side, side + 6)
    window = Window(top - margin, left - margin, side + 2 * margin, side + 6 + 3 * margin)
    if not feathered:
        return Visit(window, core, core.height * core.width)
    random = np.random.RandomState(5)
    weights = [random.rand(length).astype(np.float32) for length in core[2:]]
    return Visit(window, core, core.height * core.width, *weights)


def painted(kind, net, visits, dtype, mean=0.004, turn=3, **options):
    """What a painter makes of a canvas: the other canvas's pixels, and the sums."""
    painter = kind(net, np.dtype(dtype), END, **options)
    canvas, target = canvas_of(dtype), canvas_of(dtype)
    sums = [painter.paint(visit, canvas, target, mean, turn) for visit in visits]
    assert (canvas.array() == canvas_of(dtype).array()).all()
    return target.array(), sums


# -- pixels and values ----------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(2, 1, 0), (0, 1, 2)])
@pytest.mark.parametrize("scale", [1.0, 0.017, 1 / 127.5])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_devices_codec_has_the_bits_of_the_canvases(dtype, scale, order):
    rule = Preprocessing(order, np.float32([104.007, 116.669, 122.679]), np.float32(scale))
    encoding = Encoding(rule, dtype)
    random = np.random.RandomState(2)
    pixels = np.arange(256 * 256 * 3).reshape(256, 256, 3).astype(dtype)  # each of 65536 values
    expected = encoding.decode(pixels, np.empty((3, 256, 256), np.float32))

    codec = DeviceEncoding(encoding, CPU, 256 * 256)
    found = torch.empty(3, 256, 256)
    carrier = torch.empty(0, dtype=codec.carrier).numpy().dtype
    codec.decode(torch.from_numpy(pixels.view(carrier)).permute(2, 0, 1), found)
    np.testing.assert_array_equal(found.numpy(), expected)

    expected += random.normal(0, 20 * scale, expected.shape).astype(np.float32)  # beyond 0..255 too
    out = torch.empty(256, 256, 3, dtype=codec.carrier)
    for turn in (-1, 0, 77):
        window = Window(-9, 31, 256, 256)
        codec.encode(torch.from_numpy(expected), window, turn, out)
        wanted = encoding.encode(expected, window, turn)
        np.testing.assert_array_equal(out.numpy().view(encoding.dtype), wanted)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_thresholds_are_the_same_everywhere_on_a_giant_canvas(dtype):
    encoding = Encoding(Preprocessing((2, 1, 0), np.zeros(3, np.float32), np.float32(1)), dtype)
    codec = DeviceEncoding(encoding, CPU, 40 * 50)
    random = np.random.RandomState(0)
    for _ in range(50):
        top, left = (int(place) for place in random.randint(-200_000, 200_000, 2))
        window = Window(top, left, random.randint(1, 40), random.randint(1, 50))
        channel, turn = random.randint(0, 3), random.randint(-1, 100_000)
        found = codec.thresholds(window, channel, turn).numpy()
        wanted = thresholds(window, channel, turn, encoding.threshold_bits)
        np.testing.assert_array_equal(found, wanted)


# -- against make_step and Painter ----------------------------------------------------------------


@pytest.mark.parametrize("mean", [None, 0.003])
@pytest.mark.parametrize("input_scale", [None, 0.017])
def test_a_visit_of_the_whole_picture_is_make_step(tmp_path, input_scale, mean):
    net = small_classifier(tmp_path, input_scale=input_scale)
    start = preprocess(net, picture(70, 90))
    pixels = np.ascontiguousarray(start[[2, 1, 0]].transpose(1, 2, 0))
    canvas = Canvas.of(pixels.copy())
    window = Window(0, 0, 70, 90)
    painter = DevicePainter(net, np.float32, END)
    painter.paint(Visit(window, window, 70 * 90), canvas, canvas, mean, 0)

    net.blobs["data"].reshape(1, 3, 70, 90)
    net.blobs["data"].data[0] = start
    make_step(net, end=END, jitter=0, mean_gradient=mean)
    expected = net.blobs["data"].data[0][[2, 1, 0]].transpose(1, 2, 0)
    assert (expected != pixels).any()
    np.testing.assert_array_equal(canvas.array(), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("feathered", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"steps": 3}, {"steps": 2, "mean": None}, {"clip": False, "step_size": 7.0}],
    ids=str,
)
def test_a_visit_is_painters_bit_for_bit(net, dtype, feathered, options):
    visits = [tile(feathered=feathered), tile(top=40, side=40, feathered=feathered)]
    pixels, sums = painted(DevicePainter, net, visits, dtype, **options)
    expected, expected_sums = painted(Painter, net, visits, dtype, **options)
    assert sums == expected_sums
    assert (expected != canvas_of(dtype).array()).any()
    np.testing.assert_array_equal(pixels, expected)


def test_so_it_is_where_the_network_computes_in_half_precision(tmp_path):
    net = small_classifier(tmp_path, precision="bfloat16")
    pixels, sums = painted(DevicePainter, net, [tile()], "uint8", steps=2)
    expected, expected_sums = painted(Painter, net, [tile()], "uint8", steps=2)
    assert sums == expected_sums
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("first", [Painter, DevicePainter])
def test_painters_may_take_turns_with_one_net(net, first):
    """Painter asks for the blobs' arrays, which are kept and copied to from then on."""
    second = DevicePainter if first is Painter else Painter
    runs = [painted(kind, net, [tile()], "uint8")[0] for kind in (first, second, first)]
    assert (runs[0] == runs[1]).all()
    assert (runs[0] == runs[2]).all()


def test_other_objectives_are_given_the_blob(net):
    def one_channel(blob):
        blob.diff[:] = 0
        blob.diff[:, 3] = blob.data[:, 3]

    pixels, _ = painted(DevicePainter, net, [tile()], "uint8", objective=one_channel)
    expected, _ = painted(Painter, net, [tile()], "uint8", objective=one_channel)
    np.testing.assert_array_equal(pixels, expected)
    assert (pixels != painted(DevicePainter, net, [tile()], "uint8")[0]).any()


@pytest.mark.parametrize("mean", [None, 0.0])
def test_where_nothing_is_active_the_picture_stays(net, mean):
    def nothing(blob):
        blob.diff[:] = 0

    pixels, sums = painted(
        DevicePainter, net, [tile()], "uint8", mean=mean, objective=nothing, steps=2
    )
    assert sums == [(0.0,)]
    np.testing.assert_array_equal(pixels, canvas_of("uint8").array())


def test_measure_tells_what_paint_would_and_changes_nothing(net):
    painter = DevicePainter(net, np.uint8, END)
    canvas = canvas_of("uint8")
    measured = painter.measure(tile(), canvas)
    assert (canvas.array() == canvas_of("uint8").array()).all()
    assert measured == Painter(net, np.uint8, END).measure(tile(), canvas)
    assert measured == painter.paint(tile(), canvas, canvas, 0.004, 0)


class Silence:
    """A progress that shows nothing and ends nothing."""

    def __call__(self, step):
        return False

    def skip(self, steps):
        pass


@pytest.mark.parametrize("wrap", ["none", "both"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_dream_is_painters_whatever_the_schedule(net, schedule, wrap):
    def dream(kind):
        settings = Settings(
            schedule=schedule, wrap=wrap, tile_size=64, overlap=16, octaves=2, iterations=4,
            tile_steps=2, end=END, seed=7, jitter=8,
        )  # fmt: skip
        painter = kind(net, np.uint8, END, steps=2)
        source = Stored(Canvas.of(picture(130, 150)), Encoding(painter.encoding.rule, np.uint8))
        sizes = octave_sizes(130, 150, 2)
        dreamer = Dreamer(
            source, sizes, whole_frames(sizes), (False, False), settings, painter.encoding,
            Alone(painter), InMemory(np.uint8, wrap), Silence(),
        )  # fmt: skip
        return dreamer.run().array()

    found = dream(DevicePainter)
    assert (found != picture(130, 150)).mean() > 0.5
    np.testing.assert_array_equal(found, dream(Painter))


# -- looks ----------------------------------------------------------------------------------------

LOOKS = [
    Looks(laplacian=3),
    Looks(pull_base=3.0),
    Looks(laplacian=2, smooth=(1.0,), calm=0.5, pull_mean=0.5, pull_base=0.5),
]


def undreamt(dtype):
    """Another canvas than the one that is dreamt."""
    pixels = canvas_of(dtype).array()
    return Canvas.of(np.ascontiguousarray(pixels[::-1]))


def looked(kind, net, visits, looks, deviations=None, **options):
    """What a painter with looks makes of a canvas: the other canvas's pixels, and the sums."""
    painter = kind(net, np.float32, END, looks=looks, **options)
    canvas, target, base = canvas_of("float32"), canvas_of("float32"), undreamt("float32")
    if not looks.pull_base:
        base = None
    sums = [painter.paint(visit, canvas, target, 0.4, 3, deviations, base=base) for visit in visits]
    return target.array(), sums


@pytest.mark.parametrize("looks", LOOKS, ids=["laplacian", "base", "all"])
@pytest.mark.parametrize("own", [True, False])
def test_a_visit_with_looks_is_painters(net, looks, own):
    visits = [tile(), tile(top=40, side=40, feathered=True)]
    deviations = None if own else [0.01, 0.02, 0.03, 0.04][: looks.bands]
    expected, expected_sums = looked(Painter, net, visits, looks, deviations, steps=2)
    found, sums = looked(DevicePainter, net, visits, looks, deviations, steps=2)
    change = np.linalg.norm(expected - canvas_of("float32").array())
    assert change > 1
    assert np.linalg.norm(found - expected) < 1e-3 * change
    assert [len(each) for each in sums] == [1 + looks.bands] * 2
    np.testing.assert_allclose(sums, expected_sums, rtol=1e-4)


@pytest.mark.parametrize("kind", [Painter, DevicePainter])
def test_bands_are_measured_over_the_core_alone(net, kind):
    """By the tile's own deviations all bands are equally loud there."""
    painter = kind(net, np.float32, END, looks=Looks(laplacian=2))
    visit = tile(margin=16)
    sums = painter.measure(visit, canvas_of("float32"))
    wider = painter.measure(visit._replace(core=visit.window), canvas_of("float32"))
    assert all(0 < inner < outer for inner, outer in zip(sums[1:], wider[1:]))


@pytest.mark.parametrize("looks", LOOKS[1:], ids=["base", "all"])
def test_tiles_with_looks_under_way_together_are_those_painted_alone(net, late, looks):
    deviations = [0.01, 0.02, 0.03]
    expected, expected_sums = looked(DevicePainter, net, APART, looks, deviations)
    painter = DevicePainter(net, np.float32, END, looks=looks)
    target = canvas_of("float32")
    found = painter.paint_many(
        APART, canvas_of("float32"), target, 0.4, 3, deviations, undreamt("float32")
    )
    assert list(found) == list(enumerate(expected_sums))
    np.testing.assert_array_equal(target.array(), expected)


# -- many tiles -----------------------------------------------------------------------------------

#: Four that do not touch each other, of three sizes.
APART = [
    tile(top=4, left=4, side=30, margin=4),
    tile(top=4, left=64, side=24, margin=4),
    tile(top=52, left=4, side=30, margin=4, feathered=True),
    tile(top=52, left=64, side=36, margin=4),
]


class LateLane(HostLane):
    """A lane with a device's own memory, on which all copies arrive late.

    Each direction is a thread. What does not wait for a copy meets the poison or an older tile.
    """

    ahead = 1

    def __init__(self, device, log=None):
        super().__init__(device)
        self._ways = {name: ThreadPoolExecutor(1) for name in ("up", "down")}
        self.log = [] if log is None else log

    def parcel(self, count, dtype):
        return Parcel(*(torch.full((count,), 123, dtype=dtype) for _ in range(2)))

    def _send(self, way, copies):
        def copy():
            time.sleep(0.02)
            for target, source in copies:
                target.copy_(source)

        self.log.append(way)
        return self._ways[way].submit(copy)

    def upload(self, parts):
        return self._send("up", [(p.device[:count], p.host[:count]) for p, count in parts])

    def download(self, parts):
        return self._send("down", [(p.host[:count], p.device[:count]) for p, count in parts])

    def wait(self, arrival):
        self.log.append("compute")
        arrival.result()

    def finish(self, arrival):
        self.log.append("finish")
        arrival.result()

    def settle(self):
        for way in self._ways.values():
            way.submit(int).result()


@pytest.fixture
def late(monkeypatch):
    log = []
    monkeypatch.setattr(module, "lane_of", lambda device: LateLane(device, log))
    return log


@pytest.mark.parametrize("dtype", DTYPES)
def test_tiles_under_way_together_are_those_painted_alone(net, late, dtype):
    expected, expected_sums = painted(Painter, net, APART, dtype, steps=2)
    painter = DevicePainter(net, np.dtype(dtype), END, steps=2)
    for _ in range(2):  # the second time all buffers hold something old
        target = canvas_of(dtype)
        found = list(painter.paint_many(APART, canvas_of(dtype), target, 0.004, 3))
        assert found == list(enumerate(expected_sums))
        np.testing.assert_array_equal(target.array(), expected)


def test_while_a_tile_is_computed_the_next_is_fetched_and_the_last_delivered(net, late):
    painter = DevicePainter(net, np.uint8, END)
    canvas = canvas_of("uint8")
    for _ in painter.paint_many(APART, canvas, canvas, 0.004, 3):
        late.append("yield")
    begin, turn = ["compute", "down"], ["finish", "yield"]
    assert late == [
        "up", "up", *begin, "up", *begin, *turn, "up", *begin, *turn, *begin, *turn, *turn
    ]  # fmt: skip


def test_on_the_cpu_one_tile_is_finished_before_the_next_is_begun(net):
    painter = DevicePainter(net, np.uint8, END)
    canvas = canvas_of("uint8")
    painting = painter.paint_many(APART, canvas, canvas, 0.004, 3)
    assert next(painting)[0] == 0
    assert len(painter._slots) == 1
    _, _, height, width = APART[1].window
    assert tuple(net.blobs["data"].shape[2:]) != (height, width)
    canvas.array()[:] = 0  # seen by all that comes now
    alone = DevicePainter(net, np.uint8, END).measure(APART[1], canvas)
    assert next(painting)[1] == alone


@pytest.mark.parametrize("lane", [HostLane, LateLane])
def test_what_is_closed_early_leaves_alone_what_it_has_not_told(net, monkeypatch, lane):
    monkeypatch.setattr(module, "lane_of", lane)
    painter = DevicePainter(net, np.uint8, END)
    target = canvas_of("uint8")
    painting = painter.paint_many(APART, canvas_of("uint8"), target, 0.004, 3)
    next(painting)
    painting.close()
    expected, _ = painted(DevicePainter, net, APART[:1], "uint8")
    np.testing.assert_array_equal(target.array(), expected)
    again = canvas_of("uint8")
    for _ in painter.paint_many(APART, canvas_of("uint8"), again, 0.004, 3):
        pass
    np.testing.assert_array_equal(again.array(), painted(Painter, net, APART, "uint8")[0])


def test_no_visits_are_no_work(net):
    painter = DevicePainter(net, np.uint8, END)
    canvas = canvas_of("uint8")
    assert list(painter.paint_many([], canvas, canvas, 0.004, 3)) == []


def test_alone_hands_a_phase_to_the_painter_as_a_whole(net, late):
    canvas, target = canvas_of("uint8"), canvas_of("uint8")
    crew = Alone(DevicePainter(net, np.uint8, END))
    found = list(crew.paint((0, 0, 0), APART, [1, 3], canvas, target, 0.004, 3))
    assert late[:2] == ["up", "up"]
    chosen = [APART[1], APART[3]]
    expected, sums = painted(Painter, net, chosen, "uint8")
    assert found == [(1, sums[0]), (3, sums[1])]
    np.testing.assert_array_equal(target.array(), expected)


# -- memory ---------------------------------------------------------------------------------------


def test_buffers_are_made_for_the_largest_window_and_kept(net):
    painter = DevicePainter(net, np.uint8, END)
    canvas = canvas_of("uint8")
    list(painter.paint_many(APART, canvas, canvas, 0.004, 3))
    image, slots, codec = painter._image, painter._slots, painter._codec
    largest = max(visit.window.height * visit.window.width for visit in APART)
    assert image.numel() == 3 * largest
    list(painter.paint_many(APART[:2], canvas, canvas, 0.004, 3))
    painter.measure(APART[2], canvas)
    assert painter._image is image
    assert painter._slots is slots
    assert painter._codec is codec


def test_no_array_is_asked_of_the_network(net):
    """Arrays would be copied to in every pass, on a GPU down from the device."""
    canvas = canvas_of("uint8")
    DevicePainter(net, np.uint8, END, steps=2).paint(tile(), canvas, canvas, 0.004, 3)
    for name, blob in net.blobs.items():
        assert blob.data_memory._array is None, name
        assert blob.diff_memory._array is None, name


# -- which painter --------------------------------------------------------------------------------


def test_our_engine_gets_the_device_painter(net):
    painter = make_painter(net, np.uint8, END, steps=2)
    assert isinstance(painter, DevicePainter)


def test_real_caffe_gets_painter(net, monkeypatch):
    monkeypatch.setattr("dreamlib.tiling.stepper.engine_name", lambda net: "caffe")
    assert type(make_painter(net, np.uint8, END, step_size=2.0)) is Painter


# -- on a GPU, and what a CPU can tell of it ------------------------------------------------------


def test_the_devices_sums_are_numpys_within_double_precision():
    gradient = torch.from_numpy(np.random.RandomState(0).normal(size=(3, 90, 80)))
    gradient = gradient.float()[:, 5:70, 7:60]
    lane = CudaLane.__new__(CudaLane)  # without streams, which only CUDA has
    reference = HostLane(CPU)
    assert lane.sum_abs(gradient).item() == pytest.approx(reference.sum_abs(gradient).item(), 1e-14)
    whole = gradient.contiguous()
    assert lane.mean_abs(whole).item() == pytest.approx(reference.mean_abs(whole).item(), 1e-6)


@pytest.mark.gpu
class TestOnTheGpu:
    @pytest.fixture(autouse=True)
    def gpu_mode(self):
        caffe.set_mode_gpu()
        yield
        caffe.set_mode_cpu()

    @pytest.mark.parametrize("steps", [1, 3])
    def test_float_canvases_are_the_cpus_within_the_networks_error(self, net, steps):
        caffe.set_mode_cpu()
        expected, expected_sums = painted(Painter, net, APART, "float32", steps=steps)
        caffe.set_mode_gpu()
        found, sums = painted(DevicePainter, net, APART, "float32", steps=steps)
        np.testing.assert_allclose(sums, expected_sums, rtol=1e-4)
        change = np.linalg.norm(expected - canvas_of("float32").array())
        assert np.linalg.norm(found - expected) < 1e-3 * change

    @pytest.mark.parametrize(("dtype", "bound"), [("uint8", 1), ("uint16", 64)])
    def test_integers_differ_where_the_network_does_and_by_little(self, net, dtype, bound):
        caffe.set_mode_cpu()
        expected, _ = painted(Painter, net, APART, dtype)
        caffe.set_mode_gpu()
        found, _ = painted(DevicePainter, net, APART, dtype)
        difference = np.abs(found.astype(int) - expected)
        assert difference.max() <= bound
        assert (difference > bound // 16).mean() < 0.01

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_the_codec_has_the_bits_of_the_canvases(self, dtype):
        device = torch.device("cuda", 0)
        rule = Preprocessing((2, 1, 0), np.float32([104.007, 116.669, 122.679]), np.float32(0.017))
        encoding = Encoding(rule, dtype)
        codec = DeviceEncoding(encoding, device, 256 * 256)
        carrier = torch.empty(0, dtype=codec.carrier).numpy().dtype
        pixels = np.arange(256 * 256 * 3).reshape(256, 256, 3).astype(dtype)
        values = torch.empty(3, 256, 256, device=device)
        codec.decode(torch.from_numpy(pixels.view(carrier)).permute(2, 0, 1).to(device), values)
        expected = encoding.decode(pixels, np.empty((3, 256, 256), np.float32))
        np.testing.assert_array_equal(values.cpu().numpy(), expected)
        expected += np.float32(0.004)
        out = torch.empty(256, 256, 3, dtype=codec.carrier, device=device)
        codec.encode(torch.from_numpy(expected).to(device), Window(-9, 31, 256, 256), 77, out)
        wanted = encoding.encode(expected, Window(-9, 31, 256, 256), 77)
        np.testing.assert_array_equal(out.cpu().numpy().view(encoding.dtype), wanted)

    def test_nothing_more_is_allocated_after_the_first_tiles(self, net):
        painter = DevicePainter(net, np.uint8, END, steps=2)
        canvas = canvas_of("uint8")
        allocated = []
        for turn in range(4):
            list(painter.paint_many(APART, canvas, canvas, 0.004, turn))
            allocated.append(torch.cuda.memory_allocated())
        assert allocated[1:] == allocated[1:2] * 3

    def test_hosts_buffers_are_pinned_and_devices_are_there(self, net):
        painter = DevicePainter(net, np.uint16, END)
        canvas = canvas_of("uint16")
        list(painter.paint_many(APART, canvas, canvas, 0.004, 0))
        for slot in painter._slots:
            for parcel in (slot.incoming, slot.outgoing, slot.weights, slot.sums):
                assert parcel.host.is_pinned()
                assert parcel.device.is_cuda

    def test_tiles_under_way_together_are_those_painted_alone(self, net):
        alone, sums = painted(DevicePainter, net, APART, "uint8")
        target = canvas_of("uint8")
        painter = DevicePainter(net, np.uint8, END)
        found = list(painter.paint_many(APART, canvas_of("uint8"), target, 0.004, 3))
        np.testing.assert_allclose([value for _, value in found], sums, rtol=1e-5)
        assert np.abs(target.array().astype(int) - alone).max() <= 1

    def test_a_painter_follows_the_mode(self, net):
        painter = DevicePainter(net, np.uint8, END)
        on_gpu = painter.measure(tile(), canvas_of("uint8"))
        caffe.set_mode_cpu()
        assert painter.measure(tile(), canvas_of("uint8")) == pytest.approx(on_gpu, 1e-4)
